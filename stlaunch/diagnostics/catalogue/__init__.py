"""The permanent finding codes: what each one means, how to see it by hand, and how to mend it.

One file a code, `entries/STL301.toml`, so that a code is read, reviewed and linked by itself. It
detects nothing; `stlaunch.check`, the self-check and the linter name the codes.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# Not importlib.resources, which takes as long to import as `stlaunch detect` takes to run.
_ENTRIES = Path(__file__).parent / "entries"
_CODE = re.compile(r"STL[1-9][0-9]{2}", re.ASCII)


class Severity(StrEnum):
    """How bad it is, the worst first."""

    ERROR = "error"
    """The app, or a part of it, does not work."""
    WARNING = "warning"
    """It works, but is weaker, slower or less safe than it could be."""
    INFO = "info"
    """Good to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one code means.

    Attributes:
        code: `STL` and three digits; the first one is the family.
        title: the problem in a few words.
        severity: how bad it is.
        problem: what happens, and why.
        by_hand: how to see it without stlaunch, as a command and what it prints.
        fix: how to mend it where the proxy is not known.
        needs: names of `stlaunch.proxies.Need` that mend it, with lines for each proxy.
    """

    code: str
    title: str
    severity: Severity
    problem: str = ""
    by_hand: str = ""
    fix: str = ""
    needs: tuple[str, ...] = ()


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
    import tomllib  # noqa: PLC0415 - many import this module for the codes alone

    if code not in codes():
        raise KeyError(code)
    data = tomllib.loads((_ENTRIES / f"{code}.toml").read_text(encoding="utf-8"))
    data["severity"] = Severity(data["severity"])
    data["needs"] = tuple(data.get("needs", ()))
    return Entry(code=code, **data)
