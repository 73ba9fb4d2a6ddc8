"""JSON that is safe in a terminal: text from requests is escaped."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from stlaunch.log import harmless


class PrintableJSONResponse(JSONResponse):
    """A JSON answer in printable characters only."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return harmless(super().render(content).decode()).encode()
