"""Hand the first requests of each page to `stlaunch.learned`; it changes none of them."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.arrival import arrival_of
from stlaunch.learned import Learned
from stlaunch.streamlit_routes import SELF_CHECK

_PAGE_SCRIPT = f"{SELF_CHECK}/page.js"


class FirstRequestsMiddleware:
    """Note how pages reach the app: each asks for its script, and hardly anything else does."""

    def __init__(self, app: ASGIApp, *, learned: Learned) -> None:
        self.app = app
        self.learned = learned

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "http" and arrival_of(scope).inner == _PAGE_SCRIPT:
            self.learned.note(arrival_of(scope))
        await self.app(scope, receive, send)
