"""Limit what strangers can make the probe endpoints do: number, rate, bytes.

It knows nothing of what is probed. The clock comes in from outside.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import field

from stlaunch.quick_dataclass import dataclass

_REQUESTS_WINDOW_S = 10.0
_BYTES_WINDOW_S = 60.0
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
    requests_per_10_s: int = 1000
    requests_per_10_s_per_client: int = 200
    bytes_per_minute: int = 4_000_000_000
    bytes_per_minute_per_client: int = 2_000_000_000
    socket_s: float = 330.0
    """Five minutes of silence and some time around them."""
    socket_bytes: int = 256_000_000
    max_message_bytes: int = 17_000_000
    upload_s: float = 300.0
    drip_s: float = 15.0
    pause_s: float = 1.0
    """Before a refusal for too many requests."""
    max_paused: int = 256
    """Each holds a connection."""


@dataclass(slots=True, kw_only=True)
class _Window:
    """What each client used since the window began, and what all of them may use."""

    length_s: float
    max_in_all: int
    max_per_client: int
    _used: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    def takes(self, client: str, count: int, now: float) -> bool:
        """Count it; False where the client, or all of them, have used too much."""
        number = int(now // self.length_s)
        if number != self._number:
            self._number = number
            self._used.clear()
        is_known = client in self._used or client == OPERATOR
        key = client if is_known or len(self._used) < _MAX_CLIENTS else _OTHERS
        self._used[key] += count
        is_within = self._used[key] <= self.max_per_client
        return is_within and _is_left(client, self._used, self.max_in_all)


@dataclass(slots=True, kw_only=True)
class RateLimiter:
    """Counts who is inside, and how much each client used in this window of time."""

    limits: ProbeLimits = field(default_factory=ProbeLimits)
    clock: Callable[[], float] = time.monotonic
    _inside: Counter[str] = field(default_factory=Counter)
    _requests: _Window = field(init=False)
    _bytes: _Window = field(init=False)
    _paused: int = 0

    def __post_init__(self) -> None:
        limits = self.limits
        self._requests = _Window(
            length_s=_REQUESTS_WINDOW_S,
            max_in_all=limits.requests_per_10_s,
            max_per_client=limits.requests_per_10_s_per_client,
        )
        self._bytes = _Window(
            length_s=_BYTES_WINDOW_S,
            max_in_all=limits.bytes_per_minute,
            max_per_client=limits.bytes_per_minute_per_client,
        )

    @property
    def inside(self) -> int:
        """How many probes that take time are under way."""
        return self._inside.total()

    def takes_request(self, client: str) -> bool:
        """Count one request; False where the client has made too many in these ten seconds."""
        return self._requests.takes(client, 1, self.clock())

    def takes_bytes(self, client: str, count: int) -> bool:
        """Count bytes; False where the client has moved too many in this minute."""
        return self._bytes.takes(client, count, self.clock())

    async def pause(self) -> None:
        """Let one who asks too often wait for the refusal, so that asking again costs time."""
        if self._paused >= self.limits.max_paused:
            return
        self._paused += 1
        try:
            await asyncio.sleep(self.limits.pause_s)
        finally:
            self._paused -= 1

    @contextmanager
    def admit(self, client: str) -> Generator[bool]:
        """Count one probe that takes time for as long as the block lasts; False where full."""
        limits = self.limits
        has_room = _is_left(client, self._inside, limits.max_at_once - 1)
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


def _is_left(client: str, used: Counter[str], most: int) -> bool:
    """Return whether a client has some left; strangers never use up the operator's share."""
    return client == OPERATOR or used.total() - used[OPERATOR] <= most
