"""How long to wait before a restart; it reads no clock."""

from __future__ import annotations

_FIRST_S = 1.0
_MAX_S = 30.0
_STEADY_S = 60.0


class Backoff:
    """Twice as long each time, until something has run for a minute.

    >>> backoff = Backoff()
    >>> [backoff.ended(now) for now in (0, 1, 3)]
    [1.0, 2.0, 4.0]
    >>> backoff.started(10)
    >>> backoff.ended(80)
    1.0
    """

    def __init__(self) -> None:
        self._failures = 0
        self._started_at: float | None = None

    def started(self, now: float) -> None:
        """Note that it has started."""
        self._started_at = now

    def ended(self, now: float) -> float:
        """Note that it ended, and return the seconds to wait."""
        if self._started_at is not None and now - self._started_at >= _STEADY_S:
            self._failures = 0
        self._started_at = None
        self._failures += 1
        return min(_MAX_S, _FIRST_S * 2.0 ** min(self._failures - 1, 10))
