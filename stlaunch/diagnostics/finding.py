"""One problem: its code, what happened, and the fix; nothing is detected here."""

from __future__ import annotations

from stlaunch.diagnostics.catalogue import entry
from stlaunch.diagnostics.severity import Circumstance, Severity
from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, in words for a tired person.

    Attributes:
        code: permanent, `STL` and three digits.
        title: what happened.
        fix: what to type, and where.
        brief: what the log says in place of the fix; empty for the fix itself.
        names_others: whether it shows an address or an origin of another client; then only the
            log and the app's operator get to read it.
        circumstances: why fewer people are hit than the code says.
        base_path: the public path that its lines are for, as the request had it; a stranger may
            have invented it, so only clients that come by the same one read them.
    """

    code: str
    title: str
    fix: str
    brief: str = ""
    names_others: bool = False
    circumstances: tuple[Circumstance, ...] = ()
    base_path: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is, as the catalogue says."""
        return entry(self.code).severity_under(self.circumstances)

    def as_dict(self) -> dict[str, str]:
        """Return it for a JSON report."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "fix": self.fix,
        }

    def without_others(self) -> Finding:
        """Return a copy without anything from a request, for anyone to read."""
        fix = "stlaunch's log names it, and says what to type."
        return Finding(code=self.code, title=entry(self.code).title, fix=fix)
