"""Separate the app's login cookies from other apps', and make them `Secure` behind https.

Streamlit's login and session cookies have the same names in every app, and some are set or deleted
for the whole host. Two apps on one host, one of them at its root, would log each other out. So an
app below a path uses its own names in the browser:

    the app's                   in the browser, for the app at /sales
    _streamlit_user             _streamlit_user.1e5dc0ae
    _streamlit_session          _streamlit_session.1e5dc0ae

The app sees its own names, both ways, and never another app's login. The XSRF cookie stays as it
is: the page reads it by its name, and sharing it is harmless, because it identifies nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.request import request_info
from stlaunch.urls.base_path import BasePath

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_APART = (b"_streamlit_user", b"_streamlit_session")


class CookieMiddleware:
    """Rename the app's login cookies, and add `Secure` if the browser uses https.

    Args:
        app: the next layer.
        base: the app's public path, as far as it is known; at the root nothing is renamed.
    """

    def __init__(self, app: ASGIApp, *, base: BasePath) -> None:
        self.app = app
        digest = hashlib.sha256(base.value.encode()).hexdigest()
        self.mark = f".{digest[:8]}".encode() if base.value else b""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request, or one handshake."""
        is_secure = request_info(scope).scheme == "https"
        if self.mark:
            headers = [
                (name, self._received(value) if name == b"cookie" else value)
                for name, value in scope["headers"]
            ]
            scope = {**scope, "headers": headers}
        if scope["type"] == "websocket" or not (is_secure or self.mark):
            return self.app(scope, receive, send)

        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [
                        (name, self._sent(value, is_secure=is_secure))
                        if name.lower() == b"set-cookie"
                        else (name, value)
                        for name, value in message["headers"]
                    ],
                }
            await send(message)

        return self.app(scope, receive, send_changed)

    def _received(self, header: bytes) -> bytes:
        """Return the Cookie header with the app's own names, and no other app's login."""
        kept = []
        for cookie in header.split(b";"):
            name, equals, value = cookie.strip(b" \t").partition(b"=")
            if _is_kept_apart(_bare(name)):
                if not name.endswith(self.mark) or _bare(name) != name:
                    continue
                name = name.removesuffix(self.mark)
            kept.append(name + equals + value)
        return b"; ".join(kept)

    def _sent(self, cookie: bytes, *, is_secure: bool) -> bytes:
        name, equals, rest = cookie.partition(b"=")
        if self.mark and _is_kept_apart(name):
            cookie = name + self.mark + equals + rest
        if not is_secure:
            return cookie
        attributes = {part.strip().lower() for part in cookie.split(b";")[1:]}
        return cookie if b"secure" in attributes else cookie + b"; Secure"


def _bare(name: bytes) -> bytes:
    """Return a name without the characters that no name may contain (RFC 6265 section 4.1.1).

    A lenient app strips some of these, and takes a name with a leading no-break space for its own.
    """
    return bytes(octet for octet in name if octet in _TOKEN)


def _is_kept_apart(name: bytes) -> bool:
    return name.startswith(_APART)
