"""Record when the app has started, and when it stops."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.state import Readiness


class ReadinessLifespan:
    """Set `is_started` while the app's lifespan runs.

    Args:
        app: the next layer.
        readiness: the state to update.
    """

    def __init__(self, app: ASGIApp, *, readiness: Readiness) -> None:
        self.app = app
        self.readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the app's lifespan."""

        async def send_and_note(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.readiness.is_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            self.readiness.is_started = False
