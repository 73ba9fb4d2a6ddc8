"""Suggest the word that was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Return `Did you mean 'port'?`, or an empty text where nothing is close.

    >>> did_you_mean("prot", ["port", "host"])
    "Did you mean 'port'?"
    """
    import difflib  # noqa: PLC0415 - only after a mistake

    # A prefix that all of them share would make everything look close.
    names = sorted(name.removeprefix(prefix) for name in known)
    close = difflib.get_close_matches(word.removeprefix(prefix), names, n=1, cutoff=0.6)
    return f"Did you mean {prefix + close[0]!r}?" if close else ""
