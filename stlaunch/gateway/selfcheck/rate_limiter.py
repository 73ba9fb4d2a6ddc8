"""Limit what strangers can make the probe endpoints do: number, rate, bytes.

It knows nothing about what is probed. The clock is passed in.
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
"""A holder of the token: has one client's bounds, whatever strangers have used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLimits:
    """How much is allowed; behind a proxy that passes on no address, all clients count as one."""

    max_at_once: int = 48
    """Probes that take time (sockets, uploads, drips), in total."""
    max_at_once_per_client: int = 24
    requests_per_10_s: int = 1000
    requests_per_10_s_per_client: int = 200
    bytes_per_minute: int = 4_000_000_000
    bytes_per_minute_per_client: int = 2_000_000_000
    socket_s: float = 330.0
    """Five minutes of silence, and some time before and after."""
    socket_bytes: int = 256_000_000
    max_message_bytes: int = 17_000_000
    upload_s: float = 300.0
    drip_s: float = 15.0
    pause_s: float = 1.0
    """The wait before a refusal for too many requests."""
    max_paused: int = 256
    """How many may wait at once; each holds a connection."""


@dataclass(slots=True, kw_only=True)
class _Window:
    """What each client has used since the window began, and what they may use."""

    length_s: float
    max_in_all: int
    max_per_client: int
    _used: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    def takes(self, client: str, count: int, now: float) -> bool:
        """Count it; return False if the client, or all clients together, used too much."""
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
    """Counts running probes, and how much each client has used in the current window."""

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
        """How many probes that take time are running."""
        return self._inside.total()

    def takes_request(self, client: str) -> bool:
        """Count one request; return False after too many in these ten seconds."""
        return self._requests.takes(client, 1, self.clock())

    def takes_bytes(self, client: str, count: int) -> bool:
        """Count bytes; return False after too many in this minute."""
        return self._bytes.takes(client, count, self.clock())

    async def pause(self) -> None:
        """Delay the refusal of a client that asks too often, so that retrying costs time."""
        if self._paused >= self.limits.max_paused:
            return
        self._paused += 1
        try:
            await asyncio.sleep(self.limits.pause_s)
        finally:
            self._paused -= 1

    @contextmanager
    def admit(self, client: str) -> Generator[bool]:
        """Count one probe that takes time while the block runs; yield False if there is no room."""
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
    """Return whether a client has anything left; strangers never use up the operator's share."""
    return client == OPERATOR or used.total() - used[OPERATOR] <= most
