"""The permanent codes: what each one means, how to see it by hand, and how to fix it.

One file a code, `entries/STL301.toml`, so that a code is read, reviewed and linked by itself. It
detects nothing; `stlaunch.check`, the self-check and the linter name the codes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from pathlib import Path

from stlaunch.diagnostics.severity import Circumstance, Severity
from stlaunch.quick_dataclass import dataclass

# Not importlib.resources, which takes as long to import as `stlaunch detect` takes to run.
_ENTRIES = Path(__file__).parent / "entries"
_CODE = re.compile(r"STL[1-9][0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one code means.

    Attributes:
        code: `STL` and three digits; the first one is the family.
        title: the problem in a few words.
        severity: how bad it is, where nothing makes it milder.
        severity_when: how bad it is under a circumstance.
        problem: what happens, and why.
        by_hand: how to see it without stlaunch, as a command and what it prints.
        fix: how to fix it if the proxy is not known.
        needs: names of `stlaunch.proxies.Need` that fix it, with lines for each proxy.
    """

    code: str
    title: str
    severity: Severity
    severity_when: Mapping[Circumstance, Severity] = field(default_factory=dict)
    problem: str = ""
    by_hand: str = ""
    fix: str = ""
    needs: tuple[str, ...] = ()

    def severity_under(self, circumstances: Collection[Circumstance]) -> Severity:
        """Return how bad it is here: the mildest that a circumstance makes it."""
        milder = [self.severity_when[one] for one in circumstances if one in self.severity_when]
        return max((self.severity, *milder), key=lambda severity: severity.rank)


def codes() -> tuple[str, ...]:
    """Return all codes, in order."""
    names = (file.name.removesuffix(".toml") for file in _ENTRIES.iterdir())
    return tuple(sorted(name for name in names if _CODE.fullmatch(name)))


@functools.cache
def entry(code: str) -> Entry:
    """Return what a code means.

    Raises:
        KeyError: for a code that does not exist.
    """
    # Late: many import this module for the codes alone.
    import tomllib  # noqa: PLC0415

    from stlaunch.diagnostics.page_policy import page_policy  # noqa: PLC0415

    if code not in codes():
        raise KeyError(code)
    data = tomllib.loads((_ENTRIES / f"{code}.toml").read_text(encoding="utf-8"))
    data["severity"] = Severity(data["severity"])
    data["severity_when"] = {
        Circumstance(name): Severity(text) for name, text in data.get("severity_when", {}).items()
    }
    data["fix"] = data.get("fix", "").replace("<<policy>>", page_policy())
    data["needs"] = tuple(data.get("needs", ()))
    return Entry(code=code, **data)
