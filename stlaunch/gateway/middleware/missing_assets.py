"""Answer 404 for a static file that does not exist, where Streamlit sends its index page.

After an upgrade an open tab asks for old files; HTML under a `.js` name breaks it with a MIME
error, and a shared cache may keep that answer for a year.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.request import request_info
from stlaunch.urls.streamlit_routes import ASSETS


class MissingAssetMiddleware:
    """Turn an HTML answer to a request below `/static/` into 404."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or not (request_info(scope).inner or "").startswith(ASSETS):
            return self.app(scope, receive, send)
        return self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_missing = False

        async def send_asset(message: Message) -> None:
            nonlocal is_missing
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
                is_missing = kind.startswith(b"text/html")
            if not is_missing:
                await send(message)

        await self.app(scope, receive, send_asset)
        if is_missing:
            response = PlainTextResponse("Not Found", 404, {"cache-control": "no-store"})
            await response(scope, receive, send)
