"""Run regular expressions from configuration files on the few paths that are tried.

They are untrusted: one that could take exponential time is not run.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

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
    if len(text) > _MAX_TEXT:
        raise NotUnderstoodError(pattern[:_MAX_PATTERN])
    return _compiled(pattern, flags).search(text)


@lru_cache(maxsize=1000)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    if len(pattern) > _MAX_PATTERN:
        raise NotUnderstoodError(pattern[:_MAX_PATTERN])
    if _NESTED.search(pattern) or len(_REPEATS.findall(pattern)) > _MAX_REPEATS:
        raise NotUnderstoodError(pattern)
    # Named groups as PCRE also writes them.
    python = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    try:
        with warnings.catch_warnings():
            # `[[` and `--` in a set, into which other engines read more.
            warnings.simplefilter("error")
            return re.compile(python, flags)
    except (re.error, RecursionError, OverflowError, Warning) as exc:
        raise NotUnderstoodError(pattern) from exc


def literal_prefix(pattern: str) -> str:
    r"""Return the plain text that an expression begins with.

    >>> literal_prefix(r"^/app\.v2/?(.*)"), literal_prefix("/(a|b)")
    ('/app.v2', '/')
    """
    match = re.match(r"\^?((?:[A-Za-z0-9_/-]|\\\.)*)", pattern)
    text = match[1].replace("\\.", ".") if match else ""
    rest = pattern[match.end() :] if match else ""
    return text[:-1] if rest[:1] in {"?", "*", "{"} else text
