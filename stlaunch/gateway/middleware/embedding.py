"""Let other sites show the app in a frame: set cookies that work there, and name those sites.

Browsers keep `SameSite=Lax` cookies out of third-party frames, so uploads fail with 403 and the
origin proof fails. `SameSite=None; Partitioned` cookies are stored separately per embedding site.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import header_value, read_cookies
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import cookies_missing_in_frame
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.urls.origin import Origin

XSRF_COOKIE = "_streamlit_xsrf"
_OURS = frozenset({XSRF_COOKIE, HOST_COOKIE, PLAIN_COOKIE})
_REPLACED = ("samesite", "secure", "partitioned")
_FORBIDDEN = 403


class EmbeddingMiddleware:
    """Set the XSRF and proof cookies for frames, and name the sites that may show the app.

    Args:
        app: the next layer.
        frame_ancestors: the only other sites whose pages may show the app; empty: any.
    """

    def __init__(self, app: ASGIApp, *, frame_ancestors: Sequence[Origin]) -> None:
        self.app = app
        self.policy = " ".join(["frame-ancestors 'self'", *map(str, frame_ancestors)]).encode()
        self.has_policy = bool(frame_ancestors)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        request = request_info(scope)

        async def send_embeddable(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._changed(message, request)}
            await send(message)

        return self.app(scope, receive, send_embeddable)

    def _changed(self, message: Message, request: RequestInfo) -> list[tuple[bytes, bytes]]:
        headers = [(name.lower(), value) for name, value in message["headers"]]
        if request.scheme != "http":  # there, browsers refuse a Secure cookie
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


class RefusedUploadMiddleware:
    """Report an upload that the app refused because its cookie was missing, as in a frame.

    Args:
        app: the next layer.
        finding_log: takes the finding.
    """

    def __init__(self, app: ASGIApp, *, finding_log: FindingLog) -> None:
        self.app = app
        self.finding_log = finding_log

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one upload."""
        request = request_info(scope)

        async def send_and_report(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _FORBIDDEN:
                self._report(request)
            await send(message)

        return self.app(scope, receive, send_and_report)

    def _report(self, request: RequestInfo) -> None:
        names = {name for name, _ in read_cookies(request.headers)}
        is_probe = header_value(request.headers, b"x-stlaunch") is not None  # a check's own upload
        if not is_probe and XSRF_COOKIE not in names:
            self.finding_log.post(cookies_missing_in_frame("An upload"))


def for_frames(cookie: bytes) -> bytes:
    """Change a Set-Cookie value of ours so that browsers keep it in a third-party frame too.

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
