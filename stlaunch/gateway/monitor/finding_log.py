"""What the server has noticed since it started: each trouble once in the log, and for the report.

It decides nothing about what is a trouble; a layer that sees one posts a `Finding`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from stlaunch.diagnostics.finding import Finding

logger = logging.getLogger(__name__)

_MAX_NOTICES = 64
_MAX_OF_A_CODE = 20


@dataclass(slots=True, kw_only=True)
class LoggedFinding:
    """One finding, and how often it was made.

    Attributes:
        finding: the first of its kind.
        count: how often.
        first_at: Unix time.
        last_at: Unix time.
    """

    finding: Finding
    first_at: float
    last_at: float
    count: int = 1


@dataclass(slots=True)
class FindingLog:
    """Findings by code and title; bounded, because what leads to one may come from anybody."""

    _notices: dict[tuple[str, str], LoggedFinding] = field(default_factory=dict)

    def post(self, finding: Finding, context: str = "") -> None:
        """Keep a finding, and log it where it is a new one.

        Args:
            finding: what is wrong.
            context: for the log line alone, right after the title.
        """
        now = time.time()
        key = (finding.code, finding.title)
        if key in self._notices:
            self._notices[key].count += 1
            self._notices[key].last_at = now
            return
        of_this_code = sum(code == finding.code for code, _ in self._notices)
        if len(self._notices) >= _MAX_NOTICES or of_this_code >= _MAX_OF_A_CODE:
            return
        self._notices[key] = LoggedFinding(finding=finding, first_at=now, last_at=now)
        logger.warning("%s %s%s. %s", finding.code, finding.title, context, finding.fix)

    @property
    def notices(self) -> tuple[LoggedFinding, ...]:
        """All of them, the oldest first."""
        return tuple(self._notices.values())
