"""Keep the cookies of a login here where they are too large for a proxy.

A user with a hundred groups, or an app that asks for the tokens, gets cookies of 12 KB. nginx
answers such a callback with 502, and every later request with 400. The browser then gets one small
cookie with a random id and its signature in place of all of them; the app sees its own.

They are in the memory of this process: after a restart, or on another replica, the visitor has to
sign in again. The tokens in them are nothing to share, or to leave on a disk.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_USER = b"_streamlit_user"
_MARK = b"stlaunch."
_MAX_COOKIE_BYTES = 3 * 1024
_MAX_LOCATION_CHARS = 2048
_HINT = re.compile(rb"([?&])id_token_hint=[^&#]*&?")
_MAX_STORED_BYTES = 64 * 1024 * 1024
_LIFE_S = 30 * 24 * 3600.0  # as Streamlit's own cookies
_ID_BYTES = 16

Cookies = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class LoginStore:
    """The cookies of logins by id: of those that are used least, few where memory is short.

    Attributes:
        secret: signs the ids.
        clock: seconds that only go forward.
    """

    secret: bytes
    clock: Callable[[], float] = time.monotonic
    _logins: OrderedDict[bytes, tuple[float, Cookies]] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _is_said: bool = False

    def keep(self, cookies: Cookies) -> bytes:
        """Keep cookies, and return what the browser gets in their place."""
        login_id = secrets.token_urlsafe(_ID_BYTES).encode()
        self._logins[login_id] = (self.clock(), cookies)
        self._bytes += _size(cookies)
        while self._bytes > _MAX_STORED_BYTES:
            self._drop(next(iter(self._logins)))
        if not self._is_said:
            self._is_said = True
            logger.info(
                "A login brings cookies of %.1f KB, more than many proxies take: they stay in this "
                "process, and the browser gets a small one. After a restart, or on another "
                "replica, the visitor signs in again.",
                _size(cookies) / 1024,
            )
        return _MARK + login_id + b"." + self._signature(login_id)

    def find(self, value: bytes) -> Cookies | None:
        """Return what was kept; None for anything else, and for what is too old."""
        login_id = self._id_of(value)
        if login_id is None or login_id not in self._logins:
            return None
        kept_at, cookies = self._logins[login_id]
        if self.clock() - kept_at > _LIFE_S:
            self._drop(login_id)
            return None
        self._logins.move_to_end(login_id)
        return cookies

    def forget(self, value: bytes) -> None:
        """Forget a login that has ended."""
        login_id = self._id_of(value)
        if login_id is not None and login_id in self._logins:
            self._drop(login_id)

    def _id_of(self, value: bytes) -> bytes | None:
        login_id, _, signature = value.removeprefix(_MARK).partition(b".")
        is_ours = hmac.compare_digest(signature, self._signature(login_id))
        return login_id if is_ours and value.startswith(_MARK) else None

    def _signature(self, login_id: bytes) -> bytes:
        return hmac.new(self.secret, b"login " + login_id, hashlib.sha256).hexdigest()[:32].encode()

    def _drop(self, login_id: bytes) -> None:
        self._bytes -= _size(self._logins.pop(login_id)[1])


class LargeLoginsMiddleware:
    """Swap large login cookies for a small one on the way out, and back on the way in.

    Args:
        app: the next layer, for which nothing is different.
        store: keeps them.
    """

    def __init__(self, app: ASGIApp, *, store: LoginStore) -> None:
        self.app = app
        self.store = store

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request, or one handshake."""
        value = b""
        if any(name == b"cookie" and _MARK in text for name, text in scope["headers"]):
            headers, value = self._received(scope["headers"])
            scope = {**scope, "headers": headers}
        if scope["type"] == "websocket":
            return self.app(scope, receive, send)

        async def send_small(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._sent(message["headers"], value)}
            await send(message)

        return self.app(scope, receive, send_small)

    def _received(
        self, headers: Sequence[tuple[bytes, bytes]]
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        pairs = [
            (name, value)
            for header, text in headers
            if header == b"cookie"
            for name, _, value in (item.strip(b" \t").partition(b"=") for item in text.split(b";"))
        ]
        value = next((v for n, v in pairs if n == _USER and v.startswith(_MARK)), b"")
        if not value:
            return list(headers), b""
        others = tuple(pair for pair in pairs if not pair[0].startswith(_USER))
        whole = (*others, *(self.store.find(value) or ()))
        kept = [item for item in headers if item[0] != b"cookie"]
        if whole:
            kept.append((b"cookie", b"; ".join(name + b"=" + value for name, value in whole)))
        return kept, value

    def _sent(
        self, headers: Sequence[tuple[bytes, bytes]], arrived: bytes
    ) -> list[tuple[bytes, bytes]]:
        headers = [(name, _without_hint(name, value)) for name, value in headers]
        login = [
            index
            for index, (name, value) in enumerate(headers)
            if name.lower() == b"set-cookie" and value.startswith(_USER)
        ]
        if login and arrived:  # a new login, or a logout
            self.store.forget(arrived)
        large = [index for index in login if not _is_deletion(headers[index][1])]
        cookies = tuple(_pair(headers[index][1]) for index in large)
        main = next((index for index in large if _pair(headers[index][1])[0] == _USER), None)
        if main is None or _size(cookies) <= _MAX_COOKIE_BYTES:
            return headers
        _, _, attributes = headers[main][1].partition(b";")
        small = _USER + b"=" + self.store.keep(cookies) + b";" + attributes
        sent = [item for index, item in enumerate(headers) if index not in large]
        return [*sent, (b"set-cookie", small)]


def _without_hint(name: bytes, value: bytes) -> bytes:
    """Return a Location that fits: a logout at the provider names the whole id token, as a hint.

    Without the hint the provider may ask the visitor to confirm (OpenID Connect RP-Initiated
    Logout 1.0, section 2).
    """
    if name.lower() != b"location" or len(value) <= _MAX_LOCATION_CHARS:
        return value
    return _HINT.sub(rb"\1", value).rstrip(b"?&")


def _pair(cookie: bytes) -> tuple[bytes, bytes]:
    name, _, value = cookie.partition(b";")[0].partition(b"=")
    return name.strip(), value.strip()


def _is_deletion(cookie: bytes) -> bool:
    return _pair(cookie)[1] in {b"", b'""'} or b"max-age=0" in cookie.lower()


def _size(cookies: Cookies) -> int:
    return sum(len(name) + len(value) + 2 for name, value in cookies)
