"""Issue the tickets that admit a page's probe sockets, and keep what arrived with each of them.

A page fetches a ticket, which no page of another site can read, and puts it into the address of
its probe sockets. The handshake is kept under it for a while: the page cannot see the headers of
its own handshake, so it asks for them afterwards. Nobody without the ticket can.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from starlette.datastructures import QueryParams

from stlaunch.quick_dataclass import dataclass

_LIFE_S = 900
_MAX_KEPT = 1024
_MAX_QUERY = 512
_LABEL = b"stlaunch probe ticket 1"

Key = tuple[str, str]
"""A ticket's id, and the page's own number for one attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Signs and reads tickets; replicas that share the secret accept each other's.

    Attributes:
        secret: signs them.
        clock: Unix time.
    """

    secret: bytes = field(repr=False)
    clock: Callable[[], float] = time.time

    def issue(self) -> str:
        """Return a new ticket: `UNIX_TIME.ID.SIGNATURE`."""
        body = f"{int(self.clock())}.{secrets.token_urlsafe(16)}"
        return f"{body}.{self._sign(body)}"

    def read(self, query: bytes) -> Key | None:
        """Return the key in a query string with a valid ticket (`ticket=...&n=1`), else None."""
        if len(query) > _MAX_QUERY:
            return None
        fields = QueryParams(query)
        ticket, number = fields.get("ticket", ""), fields.get("n", "0")
        body, _, signature = ticket.rpartition(".")
        issued, _, ticket_id = body.partition(".")
        is_ours = hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._sign(body).encode()
        )
        if not is_ours or not issued.isdigit() or not (number.isdigit() and len(number) <= 4):  # noqa: PLR2004
            return None
        is_fresh = -_LIFE_S <= self.clock() - int(issued) <= _LIFE_S
        return (ticket_id, number) if is_fresh else None

    def _sign(self, body: str) -> str:
        key = hmac.digest(self.secret, _LABEL, hashlib.sha256)
        digest = hmac.digest(key, body.encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(slots=True)
class ReceivedProbes:
    """What arrived with each ticket and number; the oldest is forgotten first."""

    _kept: OrderedDict[Key, dict[str, Any]] = field(default_factory=OrderedDict)

    def keep(self, key: Key, record: Mapping[str, Any]) -> None:
        """Keep a record, or add to the existing one."""
        self._kept[key] = {**self._kept.get(key, {}), **record}
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    def find(self, key: Key) -> dict[str, Any] | None:
        """Return what arrived, or None."""
        return self._kept.get(key)
