"""Answer 404 for a static file that does not exist; Streamlit sends its index page instead.

After an upgrade an open tab asks for old files; HTML under a `.js` name breaks it with a MIME
error, and a shared cache may keep that answer for a year.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class MissingAssetMiddleware:
    """Turn an HTML answer to a request for a static file into 404."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request for a static file."""
        is_missing = False

        async def send_asset(message: Message) -> None:
            nonlocal is_missing
            if message["type"] == "http.response.start":
                content_type = dict(message["headers"]).get(b"content-type", b"")
                is_missing = content_type.startswith(b"text/html")
            if not is_missing:
                await send(message)

        await self.app(scope, receive, send_asset)
        if is_missing:
            response = PlainTextResponse("Not Found", 404, {"cache-control": "no-store"})
            await response(scope, receive, send)
