"""Hand the first requests of each page to `stlaunch.learned`; it changes none of them."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.arrival import arrival_of
from stlaunch.learned import Learned
from stlaunch.streamlit_routes import SELF_CHECK, STREAM

_OF_A_PAGE = frozenset({STREAM, f"{SELF_CHECK}/page.js"})


class FirstRequestsMiddleware:
    """Note how pages reach the app: their script and their stream are asked for by pages alone."""

    def __init__(self, app: ASGIApp, *, learned: Learned) -> None:
        self.app = app
        self.learned = learned

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] in {"http", "websocket"}:
            arrival = arrival_of(scope)
            if arrival.inner in _OF_A_PAGE:
                self.learned.note(arrival)
        await self.app(scope, receive, send)
