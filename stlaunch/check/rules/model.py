"""What a rule is: a code, the observations it needs, and a pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from stlaunch.check.hop import Hop
from stlaunch.check.observations import Observations
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.proxies.needs import Need
from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule fires.

    Attributes:
        evidence: what was seen, in one sentence.
        circumstances: why fewer people are hit than the catalogue's severity says.
        hop: who is to blame, if the answer itself reveals it.
        needs: those whose lines fix it here; None for the catalogue's.
    """

    evidence: str
    circumstances: tuple[Circumstance, ...] = ()
    needs: tuple[Need, ...] | None = None
    hop: Hop | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A rule cannot decide, although something was seen."""

    reason: str


Outcome: TypeAlias = Hit | Unknown | None
"""None: nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        code: of the catalogue.
        requires: dotted names of observations without which it is skipped.
        evaluate: pure.
        explains: prefixes of the codes that are consequences of this one.
        is_of_app: the app is to blame, not what is in front of it.
    """

    code: str
    requires: tuple[str, ...]
    evaluate: Callable[[Observations], Outcome]
    explains: tuple[str, ...] = ()
    is_of_app: bool = False


EVERYTHING = ("STL",)
APP = ("STL2", "STL3", "STL4", "STL5", "STL6", "STL7", "STL8")
"""Everything that can be wrong with an app that is reached."""
