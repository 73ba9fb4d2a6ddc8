"""Let sessions in while there is room and nobody drains; it closes none that are open.

A refused one gets 503 with Retry-After, on the socket and on the tunnel alike, and the app never
sees it. Sits above the same-origin rule; an accepted socket is not wrapped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from importlib.resources import files

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.diagnostics.handshake import read_cookies
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE
from stlaunch.gateway.refusal import deny_handshake, refusal
from stlaunch.gateway.request import request_info
from stlaunch.gateway.state import Readiness
from stlaunch.urls.streamlit_routes import HEALTH, STREAM, is_page

_TRY_AGAIN_LATER = 1013
_DRAIN_RETRY_S = 5
_FULL_RETRY_S = 10
_FULL_PAGE = (files("stlaunch.gateway.middleware") / "full.html").read_text(encoding="utf-8")


class SessionLimitMiddleware:
    """Refuse new sessions while draining, and beyond `--max-sessions`.

    Args:
        app: the next layer.
        readiness: tells whether this process drains.
        most: how many sessions there may be; None for any number.
    """

    def __init__(self, app: ASGIApp, *, readiness: Readiness, most: int | None = None) -> None:
        self.app = app
        self.readiness = readiness
        self.most = most
        self._open: Counter[tuple[str, ...]] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return self.most is not None and self._open.total() >= self.most

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        inner = request_info(scope).inner if scope["type"] != "lifespan" else None
        if scope["type"] == "websocket" and inner == STREAM:
            return self._session(scope, receive, send)
        refusal = self._refusal(scope, inner) if scope["type"] == "http" else None
        return (refusal or self.app)(scope, receive, send)

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.readiness.is_draining:
            await _STOPPING(scope, receive, send)
            return
        if self.is_full:
            await _FULL(scope, receive, send)
            return
        browser = _browser_of(scope)
        self._open[browser] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[browser] -= 1
            if not self._open[browser]:
                del self._open[browser]

    def _refusal(self, scope: Scope, inner: str | None) -> Response | None:
        if self.readiness.is_draining and inner == HEALTH:
            # Load balancers ask here, and pages before they connect again: go elsewhere.
            headers = {"retry-after": str(_DRAIN_RETRY_S), "cache-control": "no-store"}
            return PlainTextResponse("draining", 503, headers)
        is_page_load = scope["method"] == "GET" and inner is not None and is_page(inner)
        # Who has a place reloads the page: the old session ends only after the new page has come.
        if is_page_load and self.is_full and not self._has_place(_browser_of(scope)):
            text = _FULL_PAGE.replace("{retry_s}", str(_FULL_RETRY_S))
            headers = {"retry-after": str(_FULL_RETRY_S), "cache-control": "no-store"}
            return HTMLResponse(text, 503, headers)
        return None

    def _has_place(self, browser: tuple[str, ...]) -> bool:
        return bool(browser) and browser in self._open


def _browser_of(scope: Scope) -> tuple[str, ...]:
    """Return the ids that its page gave a browser; empty for a new one."""
    names = {PLAIN_COOKIE, HOST_COOKIE}
    cookies = read_cookies(request_info(scope).headers)
    return tuple(sorted(value for name, value in cookies if name in names))


class _Refusal:
    """A small ASGI app that answers a handshake with 503."""

    def __init__(self, code: str, reason: str, retry_s: int) -> None:
        self.response = refusal(503, code, reason, retry_s=retry_s)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return deny_handshake(self.response, _TRY_AGAIN_LATER, scope, receive, send)


_STOPPING = _Refusal("STL704", "the server is stopping", _DRAIN_RETRY_S)
_FULL = _Refusal("STL603", "all places are taken", _FULL_RETRY_S)
