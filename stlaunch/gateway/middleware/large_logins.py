"""Give the browser one small cookie instead of a login's cookies that are too large for a proxy.

A user with a hundred groups, or an app that asks for the tokens, gets cookies of 12 KB. nginx
answers such a callback with 502, and every later request with 400. The small one has a random id
and its signature; the app sees its own cookies, which stay on the server (`login_store.py`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import read_cookies, with_cookies
from stlaunch.gateway.login_store import MARK, LoginStore
from stlaunch.gateway.monitor.large_headers import LargeHeaders

_USER = "_streamlit_user"
_SET_USER = _USER.encode()
_MAX_BYTES = 3 * 1024
_MAX_LOCATION = 2048
_HINT = re.compile(rb"([?&])id_token_hint=[^&#]*&?")

Headers = Sequence[tuple[bytes, bytes]]


class LargeLoginsMiddleware:
    """Swap large login cookies for a small one on the way out, and back on the way in.

    Args:
        app: the next layer, for which nothing changes.
        store: keeps them; called in a thread, because it may read from disk.
        large_headers: is notified of headers that stay large anyway, such as a proxy's own login.
    """

    def __init__(self, app: ASGIApp, *, store: LoginStore, large_headers: LargeHeaders) -> None:
        self.app = app
        self.store = store
        self.large_headers = large_headers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request, or one handshake."""
        self.large_headers.note(scope, scope["headers"], is_answer=False)
        if any(name == b"cookie" and MARK.encode() in text for name, text in scope["headers"]):
            return self._with_login(scope, receive, send)
        return self._hand_on(scope, receive, send, "")

    async def _with_login(self, scope: Scope, receive: Receive, send: Send) -> None:
        cookies = read_cookies(scope["headers"])
        value = next((v for n, v in cookies if n == _USER and v.startswith(MARK)), "")
        if value:
            kept = await to_thread.run_sync(self.store.find, value)
            whole = [pair for pair in cookies if not pair[0].startswith(_USER)]
            whole += read_cookies([(b"cookie", kept or b"")])
            scope = {**scope, "headers": with_cookies(scope["headers"], whole)}
        await self._hand_on(scope, receive, send, value)

    def _hand_on(self, scope: Scope, receive: Receive, send: Send, value: str) -> Awaitable[None]:
        if scope["type"] == "websocket":
            return self.app(scope, receive, send)

        async def send_small(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = await self._sent(message["headers"], value)
                self.large_headers.note(scope, headers, is_answer=True)
                message = {**message, "headers": headers}
            await send(message)

        return self.app(scope, receive, send_small)

    async def _sent(self, headers: Headers, arrived: str) -> list[tuple[bytes, bytes]]:
        headers = [(name, _without_hint(name, value)) for name, value in headers]
        login = [
            index
            for index, (name, value) in enumerate(headers)
            if name.lower() == b"set-cookie" and value.startswith(_SET_USER)
        ]
        if login and arrived:  # a new login, or a logout
            await to_thread.run_sync(self.store.forget, arrived)
        large = [index for index in login if not _is_deletion(headers[index][1])]
        whole = b"; ".join(_pair(headers[index][1]) for index in large)
        main = next((index for index in large if _name(headers[index][1]) == _SET_USER), None)
        if main is None or len(whole) <= _MAX_BYTES:
            return headers
        _, _, attributes = headers[main][1].partition(b";")
        value = await to_thread.run_sync(self.store.keep, whole)
        small = _SET_USER + b"=" + value.encode() + b";" + attributes
        sent = [item for index, item in enumerate(headers) if index not in large]
        return [*sent, (b"set-cookie", small)]


def _without_hint(name: bytes, value: bytes) -> bytes:
    """Return a Location that fits: a logout URL at the provider has the whole id token as a hint.

    Without the hint the provider may ask the visitor to confirm (OpenID Connect RP-Initiated
    Logout 1.0, section 2).
    """
    if name.lower() != b"location" or len(value) <= _MAX_LOCATION:
        return value
    return _HINT.sub(rb"\1", value).rstrip(b"?&")


def _pair(cookie: bytes) -> bytes:
    return cookie.partition(b";")[0].strip()


def _name(cookie: bytes) -> bytes:
    return _pair(cookie).partition(b"=")[0].strip()


def _is_deletion(cookie: bytes) -> bool:
    value = _pair(cookie).partition(b"=")[2].strip()
    return value in {b"", b'""'} or b"max-age=0" in cookie.lower()
