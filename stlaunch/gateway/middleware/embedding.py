"""The app in a frame of another site: cookies that work there, and who may show it.

Browsers keep `SameSite=Lax` cookies out of third-party frames, so uploads fail with 403 and the
origin proof fails. `SameSite=None; Partitioned` cookies are kept apart for each embedding site.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import header_value, read_cookies
from stlaunch.gateway.monitor.findings import cookies_missing_in_frame
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.urls.origin import Origin
from stlaunch.urls.streamlit_routes import UPLOAD

logger = logging.getLogger(__name__)

XSRF_COOKIE = "_streamlit_xsrf"
_OURS = frozenset({XSRF_COOKIE, HOST_COOKIE, PLAIN_COOKIE})
_REPLACED = ("samesite", "secure", "partitioned")
_FORBIDDEN = 403


class EmbeddingMiddleware:
    """Set the XSRF and proof cookies for frames, and name the sites that may show the app.

    Args:
        app: the next layer.
        is_embedded: whether the cookies are changed at all.
        frame_ancestors: the only other sites whose pages may show the app; empty: any.
    """

    def __init__(
        self, app: ASGIApp, *, is_embedded: bool, frame_ancestors: Sequence[Origin]
    ) -> None:
        self.app = app
        self.is_embedded = is_embedded
        self.policy = " ".join(["frame-ancestors 'self'", *map(str, frame_ancestors)]).encode()
        self.has_policy = bool(frame_ancestors)
        self._has_warned = False

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        arrival = request_info(scope)

        async def send_embeddable(message: Message) -> None:
            if message["type"] == "http.response.start":
                if self.is_embedded:
                    message = {**message, "headers": self._changed(message, arrival)}
                elif message["status"] == _FORBIDDEN:
                    self._explain(arrival)
            await send(message)

        return self.app(scope, receive, send_embeddable)

    def _changed(self, message: Message, arrival: RequestInfo) -> list[tuple[bytes, bytes]]:
        headers = [(name.lower(), value) for name, value in message["headers"]]
        if arrival.scheme != "http":  # there, browsers refuse a Secure cookie
            headers = [
                (name, for_frames(value) if name == b"set-cookie" else value)
                for name, value in headers
            ]
        is_html = any(
            name == b"content-type" and value.startswith(b"text/html") for name, value in headers
        )
        if self.has_policy and is_html:
            headers.append((b"content-security-policy", self.policy))
        return headers

    def _explain(self, arrival: RequestInfo) -> None:
        """Say once why an upload without its cookie was refused."""
        names = {name for name, _ in read_cookies(arrival.headers)}
        if header_value(arrival.headers, b"x-stlaunch") is not None:  # a check's own probe
            return
        if self._has_warned or not (arrival.inner or "").startswith(UPLOAD) or XSRF_COOKIE in names:
            return
        self._has_warned = True
        finding = cookies_missing_in_frame("An upload")
        logger.warning("%s %s. %s", finding.code, finding.title, finding.fix)


def for_frames(cookie: bytes) -> bytes:
    """Return a Set-Cookie value of ours that browsers also keep in a third-party frame.

    >>> for_frames(b"stlaunch=x; Path=/; HttpOnly; SameSite=Lax")
    b'stlaunch=x; Path=/; HttpOnly; Secure; SameSite=None; Partitioned'
    """
    first, *attributes = [part.strip() for part in cookie.split(b";")]
    if first.partition(b"=")[0].decode("latin-1") not in _OURS:
        return cookie
    kept = [
        attribute
        for attribute in attributes
        if attribute.partition(b"=")[0].strip().lower().decode("latin-1") not in _REPLACED
    ]
    return b"; ".join([first, *kept, b"Secure", b"SameSite=None", b"Partitioned"])
