"""Mark the app's cookies `Secure` where the browser uses https; it changes nothing else."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.arrival import arrival_of


class CookieMiddleware:
    """Add `Secure` to each Set-Cookie of the app behind a TLS-terminating proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or arrival_of(scope).scheme != "https":
            await self.app(scope, receive, send)
            return

        async def send_secure(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [
                        (name, _secured(value) if name.lower() == b"set-cookie" else value)
                        for name, value in message["headers"]
                    ],
                }
            await send(message)

        await self.app(scope, receive, send_secure)


def _secured(cookie: bytes) -> bytes:
    attributes = {part.strip().lower() for part in cookie.split(b";")[1:]}
    return cookie if b"secure" in attributes else cookie + b"; Secure"
