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
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from starlette.datastructures import QueryParams

from stlaunch.quick_dataclass import dataclass

_LIFE_S = 900
_MAX_KEPT = 1024
_MAX_OF_A_TICKET = 64
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
    """What arrived with each ticket and number.

    The ticket with the most records makes room, so that whoever sends many evicts only their own.
    """

    _kept: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    _count: int = 0

    def keep(self, key: Key, record: Mapping[str, Any]) -> None:
        """Keep a record, or add to the existing one."""
        ticket, number = key
        of_ticket = self._kept.setdefault(ticket, {})
        self._count += number not in of_ticket
        of_ticket[number] = {**of_ticket.get(number, {}), **record}
        if len(of_ticket) > _MAX_OF_A_TICKET:
            self._forget_oldest(ticket)
        elif self._count > _MAX_KEPT:
            self._forget_oldest(max(self._kept, key=lambda ticket: len(self._kept[ticket])))

    def find(self, key: Key) -> dict[str, Any] | None:
        """Return what arrived, or None."""
        ticket, number = key
        return self._kept.get(ticket, {}).get(number)

    def _forget_oldest(self, ticket: str) -> None:
        of_ticket = self._kept[ticket]
        del of_ticket[next(iter(of_ticket))]
        self._count -= 1
        if not of_ticket:
            del self._kept[ticket]
