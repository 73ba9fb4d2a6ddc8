"""Keep the findings since the start: each one logged once, and all of them for the report.

It does not decide what is a problem; a layer that sees one posts a `Finding`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import field

from stlaunch.diagnostics.finding import Finding
from stlaunch.gateway.monitor.line_budget import LineBudget
from stlaunch.quick_dataclass import dataclass

logger = logging.getLogger(__name__)

_MAX_OF_A_CODE = 64
_MAX_SUMMED_UP = 3


@dataclass(slots=True, kw_only=True)
class LoggedFinding:
    """One finding, and how often it was posted.

    Attributes:
        finding: the first of its kind.
        count: how often it was posted.
        first_at: on the log's clock.
        last_at: on the log's clock.
        is_logged: whether the log names it.
    """

    finding: Finding
    first_at: float
    last_at: float
    count: int = 0
    is_logged: bool = False


@dataclass(slots=True)
class _OfACode:
    """The findings of one code, the lines they have left, and whether a summary is scheduled."""

    notices: dict[Finding, LoggedFinding] = field(default_factory=dict)
    budget: LineBudget = field(default_factory=LineBudget)
    is_summary_due: bool = False


@dataclass(slots=True)
class FindingLog:
    """Findings by code; bounded, because anybody may be able to cause one.

    A new one gets its own line while its client, and all clients, have lines left in this window.
    The rest are summed up, the most frequent ones by name, so the log never misses a problem.

    Attributes:
        clock: monotonic, in seconds.
        counts: how often each code was posted.
    """

    clock: Callable[[], float] = time.monotonic
    counts: Counter[str] = field(default_factory=Counter)
    _by_code: dict[str, _OfACode] = field(default_factory=dict)

    def post(self, finding: Finding, context: str = "", *, client: str = "") -> None:
        """Keep a finding, and log it if it is new.

        Args:
            finding: what is wrong.
            context: for the log line alone, right after the title.
            client: the client whose request shows it (`client_key`); empty for no particular one.
        """
        self.counts[finding.code] += 1
        of_code = self._by_code.setdefault(finding.code, _OfACode())
        notice = of_code.notices.get(finding)
        now = self.clock()
        if notice is None:
            _make_room(of_code.notices)
            notice = LoggedFinding(finding=finding, first_at=now, last_at=now)
            of_code.notices[finding] = notice
        notice.count += 1
        notice.last_at = now
        if notice.is_logged:
            return
        if of_code.budget.takes_line(client, now):
            notice.is_logged = True
            advice = finding.brief or finding.fix
            logger.warning("%s %s%s. %s", finding.code, finding.title, context, advice)
        elif of_code.budget.takes_summary(now):
            _sum_up(of_code)
        elif not of_code.is_summary_due:
            self._sum_up_soon(of_code)

    def _sum_up_soon(self, of_code: _OfACode) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # the next finding of this code triggers the summary
        of_code.is_summary_due = True
        loop.call_later(of_code.budget.summary_s, self._summary_is_due, of_code)

    def _summary_is_due(self, of_code: _OfACode) -> None:
        of_code.is_summary_due = False
        of_code.budget.takes_summary(self.clock())
        _sum_up(of_code)

    @property
    def notices(self) -> tuple[LoggedFinding, ...]:
        """All of them, the oldest of each code first."""
        return tuple(
            item for of_code in self._by_code.values() for item in of_code.notices.values()
        )


def _make_room(notices: dict[Finding, LoggedFinding]) -> None:
    if len(notices) >= _MAX_OF_A_CODE:
        rarest = min(notices.values(), key=lambda item: (item.count, item.last_at))
        del notices[rarest.finding]


def _sum_up(of_code: _OfACode) -> None:
    """Log one line for the findings without one, naming the most frequent, then the latest."""
    unnamed = [item for item in of_code.notices.values() if not item.is_logged]
    if not unnamed:
        return
    shown = sorted(unnamed, key=lambda item: (item.count, item.last_at))[-_MAX_SUMMED_UP:]
    for item in unnamed:
        item.is_logged = item in shown
    code = shown[0].finding.code
    titles = "; ".join(item.finding.title for item in reversed(shown))
    more = f" and {len(unnamed) - len(shown)} more" if len(unnamed) > len(shown) else ""
    logger.warning(
        "%s %s%s. Too many to log one by one; the fix is the same as above.", code, titles, more
    )
