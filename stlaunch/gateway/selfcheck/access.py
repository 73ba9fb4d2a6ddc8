"""Who may see more of the self-check than health and ready: the rule of `--self-check`.

Pure: what arrived comes in as arguments. It must never take a request that somebody forwarded
for one from this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from enum import Enum

from starlette.datastructures import Headers

from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.gateway.request import ArrivedRequest
from stlaunch.settings.model import SelfCheck

TOKEN_HEADER = "x-stlaunch-token"  # noqa: S105 - the name of a header
_BEARER = "bearer "
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOP_HEADERS = FORWARDING_HEADERS | {b"via", b"x-forwarded-server", b"x-request-id"}


class Viewer(Enum):
    """What somebody may see."""

    NOBODY = "nobody"
    """Health and ready alone."""
    CLIENT = "client"
    """The server's state and their own requests."""
    OPERATOR = "operator"
    """Also addresses and origins of others, as the log has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """Decides what a request may see.

    Attributes:
        access: `--self-check`.
        token: what `--self-check token` asks for; also makes an operator of its holder in the
            other modes.
        is_proxied: whether the app is said to be behind a proxy. One on this machine, without a
            header of its own, looks like this machine: then the token alone makes an operator.
        own_key: what this process sends to itself (`--verify`).
    """

    access: SelfCheck
    token: str | None = field(default=None, repr=False)
    is_proxied: bool = False
    own_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def viewer(self, request: ArrivedRequest, headers: Headers) -> Viewer:
        """Return what the sender of a request may see."""
        if self.access is SelfCheck.OFF:
            return Viewer.NOBODY
        if self._holds_token(headers):
            return Viewer.OPERATOR
        if self.access is SelfCheck.TOKEN:
            return Viewer.NOBODY
        if is_local(request):
            return Viewer.CLIENT if self.is_proxied else Viewer.OPERATOR
        return Viewer.CLIENT if self.access is SelfCheck.PUBLIC else Viewer.NOBODY

    def _holds_token(self, headers: Headers) -> bool:
        given = headers.get(TOKEN_HEADER, "")
        authorization = headers.get("authorization", "")
        if not given and authorization.lower().startswith(_BEARER):
            given = authorization[len(_BEARER) :].strip()
        if not given:
            return False
        known = [self.own_key] if self.token is None else [self.own_key, self.token]
        # Each is compared, in constant time: the time taken says nothing about a guess.
        matches = [
            hmac.compare_digest(given.encode("latin-1", "replace"), key.encode()) for key in known
        ]
        return any(matches)


def new_self_check_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


def is_local(request: ArrivedRequest) -> bool:
    """Return whether a request was made on this machine, to this machine.

    The peer is loopback, no header says that anybody forwarded it, and Host is a loopback name,
    which neither a proxy that keeps Host nor a page behind a rebound name has. A proxy on this
    machine that adds no header and rewrites Host cannot be distinguished from its own machine.
    """
    if request.peer is None or not _is_loopback(request.peer):
        return False
    if any(name in _HOP_HEADERS for name, _ in request.headers):
        return False
    return request.host is not None and request.host.host in _LOOPBACK_NAMES


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
