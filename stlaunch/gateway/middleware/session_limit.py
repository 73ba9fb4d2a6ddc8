"""Accept sessions while there is room and no shutdown is in progress; never close open ones.

A refused one gets 503 with Retry-After, on the socket and on the tunnel alike, and the app never
sees it. Runs before the same-origin rule; an accepted socket is not wrapped.
"""

from __future__ import annotations

from collections.abc import Awaitable
from importlib.resources import files

from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.gateway.owner import owner_of, visitor_of
from stlaunch.gateway.places import Places
from stlaunch.gateway.refusal import deny_handshake, refusal
from stlaunch.gateway.request import request_info
from stlaunch.gateway.state import Readiness
from stlaunch.process.open_files import has_room_for_more_files

_TRY_AGAIN_LATER = 1013
_DRAIN_RETRY_S = 5
_FULL_RETRY_S = 10
_FULL_PAGE = (files("stlaunch.gateway.middleware") / "full.html").read_text(encoding="utf-8")
_STOPPING = refusal(503, "STL704", "the server is stopping", retry_s=_DRAIN_RETRY_S)
_FULL = refusal(503, "STL603", "the app is at capacity", retry_s=_FULL_RETRY_S)


class SessionLimitMiddleware:
    """Refuse new sessions while draining, beyond `--max-sessions`, and when descriptors run out.

    Args:
        app: the rest of the stream's chain.
        readiness: says whether this process is draining.
        sessions: who holds one; None for any number.
    """

    def __init__(self, app: ASGIApp, *, readiness: Readiness, sessions: Places | None) -> None:
        self.app = app
        self.readiness = readiness
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one handshake."""
        if self.readiness.is_draining:
            await deny_handshake(_STOPPING, _TRY_AGAIN_LATER, scope, receive, send)
            return
        visitor = visitor_of(request_info(scope), owner_of(scope))
        has_place = self.sessions is None or self.sessions.has_room(visitor)
        # Without descriptors a session would fail half-way, and so would the open ones.
        if not (has_place and has_room_for_more_files()):
            await deny_handshake(_FULL, _TRY_AGAIN_LATER, scope, receive, send)
        elif self.sessions is None:
            await self.app(scope, receive, send)
        else:
            self.sessions.take(visitor)
            try:
                await self.app(scope, receive, send)
            finally:
                self.sessions.free(visitor)


class FullPageMiddleware:
    """Answer a new visitor's page with one that waits for a place.

    A browser that holds a place can reload its page: the old session ends only after the new page
    has arrived.

    Args:
        app: the rest of the page's chain.
        sessions: who holds one; None for any number.
    """

    def __init__(self, app: ASGIApp, *, sessions: Places | None) -> None:
        self.app = app
        self.sessions = sessions

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request for a page."""
        if self.sessions is None or scope["method"] != "GET":
            return self.app(scope, receive, send)
        visitor = visitor_of(request_info(scope), owner_of(scope))
        if self.sessions.has_room(visitor) or self.sessions.holds_one(visitor):
            return self.app(scope, receive, send)
        text = _FULL_PAGE.replace("{retry_s}", str(_FULL_RETRY_S))
        headers = {"retry-after": str(_FULL_RETRY_S), "cache-control": "no-store"}
        return HTMLResponse(text, 503, headers)(scope, receive, send)


class DrainingHealthMiddleware:
    """Answer Streamlit's health check with 503 while draining.

    Load balancers ask here, and so do pages before they reconnect: both then go elsewhere.

    Args:
        app: the rest of the health check's chain.
        readiness: says whether this process is draining.
    """

    def __init__(self, app: ASGIApp, *, readiness: Readiness) -> None:
        self.app = app
        self.readiness = readiness

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one health check."""
        if not self.readiness.is_draining:
            return self.app(scope, receive, send)
        headers = {"retry-after": str(_DRAIN_RETRY_S), "cache-control": "no-store"}
        return PlainTextResponse("draining", 503, headers)(scope, receive, send)
