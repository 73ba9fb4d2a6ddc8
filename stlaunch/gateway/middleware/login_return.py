"""Return a visitor after a login to the page that asked for it, with its query string.

Streamlit's callback always leads to the front page. The browser's Referer names the page that
asked; it is kept in a cookie that only the callback gets. The cookie is trusted as little as the
Referer: it can name a page of this app, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import header_value, read_cookies
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import CALLBACK, LOGIN, RequestKind, classify

_COOKIE = "stlaunch_return"
_LIFE_S = 3600
_MAX = 1500


class LoginReturnMiddleware:
    """Remember where a login started, and redirect its callback there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request for a route of Streamlit's."""
        request = request_info(scope)
        if scope["method"] == "GET" and request.base is not None:
            if request.streamlit_path == LOGIN and (page := _asking_page(request)):
                return self.app(scope, receive, _noting(send, request.base, page))
            if request.streamlit_path == CALLBACK and (page := _noted_page(request)):
                front = scope["path"].removesuffix(CALLBACK)
                return self.app(scope, receive, _returning(send, request.base, front, page))
        return self.app(scope, receive, send)


def _asking_page(request: RequestInfo) -> str:
    """Return the asking page below the base: `/second_page?x=1`; empty for the front page."""
    if header_value(request.headers, b"sec-fetch-site") not in {None, "same-origin"}:
        return ""
    try:
        parts = urlsplit(header_value(request.headers, b"referer") or "")
    except ValueError:
        return ""
    base = (request.base or BasePath()).value
    if not parts.path.startswith(base + "/"):
        return ""
    query = f"?{parts.query}" if parts.query else ""
    page = parts.path.removeprefix(base) + query
    return page if page != "/" and is_page(page) else ""


def is_page(page: str) -> bool:
    """Return whether this is a page of the app below its base, and nothing else.

    >>> [is_page(page) for page in ("/?x=1", "/page2?x=1", "//evil.example", "/auth/logout")]
    [True, True, False, False]
    """
    if not (page.startswith("/") and page.isascii() and page.isprintable() and len(page) <= _MAX):
        return False
    path = page.partition("?")[0]
    segments = unquote(path).replace("\\", "/").split("/")[1:]
    is_plain = "" not in segments[:-1] and not {".", ".."} & set(segments)
    is_safe = " " not in page and "\\" not in page and "#" not in page
    kind = classify(unquote(path), [BasePath()]).kind
    return is_plain and is_safe and kind is RequestKind.PAGE


def _noted_page(request: RequestInfo) -> str:
    for name, value in read_cookies(request.headers):
        if name == _COOKIE:
            try:
                page = base64.b64decode(value, b"-_", validate=True).decode("ascii")
            except (binascii.Error, ValueError):
                continue
            if is_page(page):
                return page
    return ""


def _cookie(base: BasePath, value: str, life_s: int) -> tuple[bytes, bytes]:
    attributes = f"Path={base.value}{CALLBACK}; Max-Age={life_s}; HttpOnly; SameSite=Lax"
    return b"set-cookie", f"{_COOKIE}={value}; {attributes}".encode()


def _noting(send: Send, base: BasePath, page: str) -> Send:
    async def send_and_note(message: Message) -> None:
        if message["type"] == "http.response.start":
            value = base64.urlsafe_b64encode(page.encode()).decode()
            message = {**message, "headers": [*message["headers"], _cookie(base, value, _LIFE_S)]}
        await send(message)

    return send_and_note


def _returning(send: Send, base: BasePath, front: str, page: str) -> Send:
    async def send_back(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, (front + page).encode() if _leads_to_front(name, value, front) else value)
                for name, value in message["headers"]
            ]
            message = {**message, "headers": [*headers, _cookie(base, "", 0)]}
        await send(message)

    return send_back


def _leads_to_front(name: bytes, value: bytes, front: str) -> bool:
    return name.lower() == b"location" and value.decode("latin-1") in {front, front + "/"}
