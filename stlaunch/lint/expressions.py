"""Run regular expressions from configuration files on the few paths that are tried.

They are untrusted: one that could take exponential time is not run.
"""

from __future__ import annotations

import re

_MAX_PATTERN = 500
_MAX_TEXT = 150
# A repeated group that itself repeats something, or offers a choice: (a+)+, (a|aa)*, (.*,)*.
_NESTED = re.compile(r"[*+}][^()]*\)\s*[*+{]|\|[^()]*\)[*+{]|\)\)+[*+{]")
_REPEATS = re.compile(r"(?<!\\)[*+]|\{\d*,\d*\}")
_MAX_REPEATS = 4


class NotUnderstoodError(Exception):
    """An expression that is not one of Python's, or that is not safe to run."""


def search(pattern: str, text: str, flags: int = 0) -> re.Match[str] | None:
    """Search as a proxy would.

    Raises:
        NotUnderstoodError: for an expression that cannot be run here.
    """
    if len(pattern) > _MAX_PATTERN or len(text) > _MAX_TEXT:
        raise NotUnderstoodError(pattern[:_MAX_PATTERN])
    if _NESTED.search(pattern) or len(_REPEATS.findall(pattern)) > _MAX_REPEATS:
        raise NotUnderstoodError(pattern)
    # Named groups as PCRE also writes them.
    python = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    try:
        return re.search(python, text, flags)
    except (re.error, RecursionError, OverflowError) as exc:
        raise NotUnderstoodError(pattern) from exc
