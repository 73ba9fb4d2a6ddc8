"""Decide who may see the self-check, beyond health and ready: the rule of `--self-check`.

Pure: the request comes in as arguments. It must never mistake a forwarded request for one from
this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import field
from enum import Enum

from starlette.datastructures import Headers

from stlaunch.forwarded.headers import is_handed_on
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import ArrivedRequest
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.model import SelfCheck

logger = logging.getLogger(__name__)

TOKEN_HEADER = "x-stlaunch-token"  # noqa: S105 - the name of a header
_BEARER = "bearer "
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_GUESSES = 10
_MAX_GUESSERS = 4096
_MAX_LINES = 512
_MINUTE_S = 60.0


class Viewer(Enum):
    """Who is looking, and so what they may see."""

    NOBODY = "nobody"
    """Only health and ready."""
    CLIENT = "client"
    """The server's state and their own requests."""
    OPERATOR = "operator"
    """Also addresses and origins of others, as in the log."""


@dataclass(slots=True, kw_only=True)
class TokenGuesses:
    """Counts wrong tokens by client and minute, so that nobody can try many.

    Once a client has sent too many, its tokens are not even compared until the minute is over. A
    client that has sent none is never refused, however many others guess. The clients that guessed
    last are remembered; only the lines in the log are counted for all together.
    """

    clock: Callable[[], float] = time.monotonic
    _wrong: dict[str, int] = field(default_factory=dict)
    _lines: int = 0
    _minute: int = 0

    def are_too_many(self, address: str | None) -> bool:
        """Return whether a client has to wait."""
        self._turn()
        return self._wrong.get(client_key(address), 0) >= _MAX_GUESSES

    def note(self, address: str | None) -> None:
        """Count a wrong token; log the first one, and the last one that is compared."""
        self._turn()
        key = client_key(address)
        if key not in self._wrong and len(self._wrong) >= _MAX_GUESSERS:
            del self._wrong[next(iter(self._wrong))]  # the oldest
        self._wrong[key] = self._wrong.get(key, 0) + 1
        if self._wrong[key] not in {1, _MAX_GUESSES} or self._lines >= _MAX_LINES:
            return
        self._lines += 1
        if self._lines == _MAX_LINES:
            logger.warning("Wrong self-check tokens came from too many clients to name them all.")
            return
        more = "; no more of its guesses are compared in this minute"
        ending = more if self._wrong[key] == _MAX_GUESSES else ""
        logger.warning("A wrong self-check token came from %s%s.", key, ending)

    def _turn(self) -> None:
        minute = int(self.clock() // _MINUTE_S)
        if minute != self._minute:
            self._minute, self._lines = minute, 0
            self._wrong.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """Decides what a request may see.

    Attributes:
        access: `--self-check`.
        token: what `--self-check token` asks for; also makes an operator of its holder in the
            other modes.
        is_proxied: whether the app is said to be behind a proxy. One on this machine that adds no
            header looks like a local client: then only the token makes an operator.
        own_key: the token that this process sends to itself (`--verify`).
        guesses: the wrong tokens of this minute.
    """

    access: SelfCheck
    token: str | None = field(default=None, repr=False)
    is_proxied: bool = False
    own_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    guesses: TokenGuesses = field(default_factory=TokenGuesses)

    def viewer(self, request: ArrivedRequest, headers: Headers) -> Viewer:
        """Return what the sender of a request may see."""
        if self.access is SelfCheck.OFF:
            return Viewer.NOBODY
        if self._holds_token(request, headers):
            return Viewer.OPERATOR
        if self.access is SelfCheck.TOKEN:
            return Viewer.NOBODY
        if is_local(request):
            return Viewer.CLIENT if self.is_proxied else Viewer.OPERATOR
        return Viewer.CLIENT if self.access is SelfCheck.PUBLIC else Viewer.NOBODY

    def _holds_token(self, request: ArrivedRequest, headers: Headers) -> bool:
        given = headers.get(TOKEN_HEADER, "")
        authorization = headers.get("authorization", "")
        if not given and authorization.lower().startswith(_BEARER):
            given = authorization[len(_BEARER) :].strip()
        if not given:
            return False
        if self.guesses.are_too_many(request.client):
            return False
        known = [self.own_key] if self.token is None else [self.own_key, self.token]
        # Every key is compared, in constant time: the time taken reveals nothing about a guess.
        matches = [
            hmac.compare_digest(given.encode("latin-1", "replace"), key.encode()) for key in known
        ]
        if not any(matches):
            self.guesses.note(request.client)
        return any(matches)


def new_self_check_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def is_local(request: ArrivedRequest) -> bool:
    """Return whether a request was made on this machine, to this machine.

    The peer is loopback, no header shows that it was forwarded, and Host is a loopback name, which
    neither a proxy that keeps Host nor a page behind a rebound name has. A proxy on this machine
    that adds no header and rewrites Host cannot be distinguished from a local client.
    """
    if request.peer is None or not _is_loopback(request.peer):
        return False
    if is_handed_on(request.headers):
        return False
    return request.host is not None and request.host.host in _LOOPBACK_NAMES


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
