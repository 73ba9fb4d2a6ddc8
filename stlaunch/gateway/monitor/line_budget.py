"""Limit the log lines of one kind of problem: bounded in each window, never zero.

Pure; the clock is passed in. Strangers must be able neither to fill the disk with log lines nor to
use up the lines needed for other clients' problems.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from stlaunch.quick_dataclass import dataclass


@dataclass(slots=True, kw_only=True)
class LineBudget:
    """The lines left in this window, per client and in total.

    Attributes:
        in_all: lines in a window.
        per_client: of these, for one client.
        unattributed: of these, for problems of no particular client.
        window_s: length of a window, after which all counts start over.
        summary_s: at most one line in this time sums up the problems without a line of their own.
    """

    in_all: int = 100
    per_client: int = 40
    unattributed: int = 16
    window_s: float = 600.0
    summary_s: float = 10.0
    _used: Counter[str] = field(default_factory=Counter)
    _began_at: float = float("-inf")
    _summed_up_at: float = float("-inf")

    def takes_line(self, client: str, now: float) -> bool:
        """Use a line; return False if the client, or all clients together, have none left.

        Args:
            client: the client with the problem; empty for no particular one.
            now: monotonic, in seconds.
        """
        if now - self._began_at >= self.window_s:
            self._used.clear()
            self._began_at = now
        most = self.per_client if client else self.unattributed
        if self._used[client] >= most or self._used.total() >= self.in_all:
            return False
        self._used[client] += 1
        return True

    def takes_summary(self, now: float) -> bool:
        """Use the summary line; return False if the last one was less than `summary_s` ago."""
        if now - self._summed_up_at < self.summary_s:
            return False
        self._summed_up_at = now
        return True
