"""One thing that is wrong: its code, what happened, and the fix; it detects nothing."""

from __future__ import annotations

from dataclasses import dataclass

from stlaunch.diagnostics.catalogue import entry
from stlaunch.diagnostics.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, in words for a tired person.

    Attributes:
        code: permanent, `STL` and three digits.
        title: what happened.
        fix: what to type, and where.
        names_others: whether it tells an address or an origin of another client; then only the
            log and whoever runs the app get to read it.
    """

    code: str
    title: str
    fix: str
    names_others: bool = False

    @property
    def severity(self) -> Severity:
        """How bad it is; the code decides."""
        return entry(self.code).severity

    def as_dict(self) -> dict[str, str]:
        """Return it for a JSON report."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "fix": self.fix,
        }

    def without_others(self) -> Finding:
        """Return it without what it tells about other clients, for anybody to read."""
        if not self.names_others:
            return self
        fix = "stlaunch's log names it, and says what to type."
        return Finding(code=self.code, title=entry(self.code).title, fix=fix)
