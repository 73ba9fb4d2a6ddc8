"""Limit what strangers can make the probe endpoints do: number, rate, bytes.

It knows nothing of what is probed. The clock comes in from outside.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

_MINUTE_S = 60.0
_MAX_CLIENTS = 4096
_OTHERS = "others"
OPERATOR = "operator"
"""Who holds the token: within the bounds of one client, whatever strangers have used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLimits:
    """How much is allowed; a proxy that passes on no client address makes all of them one."""

    max_at_once: int = 48
    """Probes that take time (sockets, uploads, drips), in all."""
    max_at_once_per_client: int = 24
    requests_per_minute: int = 6000
    requests_per_minute_per_client: int = 1200
    bytes_per_minute: int = 4_000_000_000
    bytes_per_minute_per_client: int = 2_000_000_000
    socket_s: float = 330.0
    """Five minutes of silence and some time around them."""
    socket_bytes: int = 256_000_000
    max_message_bytes: int = 17_000_000
    upload_s: float = 300.0
    drip_s: float = 15.0


@dataclass(slots=True, kw_only=True)
class RateLimiter:
    """Counts who is inside, and how much each client used in this minute."""

    limits: ProbeLimits = field(default_factory=ProbeLimits)
    clock: Callable[[], float] = time.monotonic
    _inside: Counter[str] = field(default_factory=Counter)
    _requests: Counter[str] = field(default_factory=Counter)
    _bytes: Counter[str] = field(default_factory=Counter)
    _minute: int = 0

    @property
    def inside(self) -> int:
        """How many probes that take time are under way."""
        return self._inside.total()

    def takes_request(self, client: str) -> bool:
        """Count one request; False where the client has made too many in this minute."""
        self._turn()
        key = self._key(client, self._requests)
        self._requests[key] += 1
        limits = self.limits
        is_within = self._requests[key] <= limits.requests_per_minute_per_client
        return is_within and self._is_left(client, self._requests, limits.requests_per_minute)

    def takes_bytes(self, client: str, count: int) -> bool:
        """Count bytes; False where the client has moved too many in this minute."""
        self._turn()
        key = self._key(client, self._bytes)
        self._bytes[key] += count
        limits = self.limits
        is_within = self._bytes[key] <= limits.bytes_per_minute_per_client
        return is_within and self._is_left(client, self._bytes, limits.bytes_per_minute)

    @contextmanager
    def admit(self, client: str) -> Generator[bool]:
        """Count one probe that takes time for as long as the block lasts; False where full."""
        limits = self.limits
        has_room = self._is_left(client, self._inside, limits.max_at_once - 1)
        if not has_room or self._inside[client] >= limits.max_at_once_per_client:
            yield False
            return
        self._inside[client] += 1
        try:
            yield True
        finally:
            self._inside[client] -= 1
            if self._inside[client] <= 0:
                del self._inside[client]

    def _turn(self) -> None:
        minute = int(self.clock() // _MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._requests.clear()
            self._bytes.clear()

    @staticmethod
    def _is_left(client: str, counter: Counter[str], most: int) -> bool:
        return client == OPERATOR or counter.total() - counter[OPERATOR] <= most

    @staticmethod
    def _key(client: str, counter: Counter[str]) -> str:
        is_known = client in counter or client == OPERATOR
        return client if is_known or len(counter) < _MAX_CLIENTS else _OTHERS
