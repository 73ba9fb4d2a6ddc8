"""How bad a finding is, measured by its effect on a visitor at the checked address.

It owns the three words and what makes one milder; each code's own severity is in the catalogue.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it is, the worst first."""

    ERROR = "error"
    """A visitor at this address cannot use the app, or a part of it, or not safely."""
    WARNING = "warning"
    """Somebody will be hit, under a condition that the text names."""
    INFO = "info"
    """Worth knowing; nobody is hit."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Circumstance(StrEnum):
    """Why the same fault hits fewer people here; the catalogue says how bad it then is."""

    FALLBACK = "fallback"
    """stlaunch makes up for it: the app was seen to work without what is broken."""
    OTHER_SPELLING = "other-spelling"
    """Only another spelling of the address is hit, such as the one without its final slash."""
    SUBPAGE_SLASH = "subpage-slash"
    """Only a page below the front page, with a final slash that nobody types, is hit."""
    LARGE_ONLY = "large-only"
    """Only what is larger than what was measured to pass is hit."""
    PART_ONLY = "part-only"
    """The page works; only a part that the text names does not."""
    IF_USED = "if-used"
    """Only an app that uses what the text names would miss it."""
    OWN_MACHINE = "own-machine"
    """Only this machine's own names are concerned."""
    FORGER_ONLY = "forger-only"
    """Only the client that forges is hit by what it forged."""
