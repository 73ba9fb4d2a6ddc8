"""Limit the log lines of one kind of problem: bounded in each window, never zero.

Pure, with the clock from outside. What strangers can bring about must not fill a disk, and must
not use up the lines that somebody else's trouble needs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from stlaunch.quick_dataclass import dataclass


@dataclass(slots=True, kw_only=True)
class LineBudget:
    """Lines left in this window, for each client and in all.

    Attributes:
        in_all: lines in a window.
        per_client: of these, for one client.
        unattributed: of these, for trouble that is nobody's in particular.
        window_s: after this time all begins anew.
        summary_s: what found no place is summed up in a line, one in this time.
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
        """Use a line; False where the client, or all of them, have none left.

        Args:
            client: whose trouble it is; empty for nobody's.
            now: seconds that only go forward.
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
        """Use the line that sums up; False where the last one was a moment ago."""
        if now - self._summed_up_at < self.summary_s:
            return False
        self._summed_up_at = now
        return True
