"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib
import math
import os
import sys

_MAX = 65_536
_MAX_OF_MACOS = 10_240  # it refuses more than OPEN_MAX, whatever hard limit it reports
_RESERVE = 32


def allow_many_open_files() -> None:
    """Raise the soft limit as far as the hard one allows, up to 65,536; never lower it.

    Streamlit takes four descriptors per session, so some 250 pages use up the usual 1024, and the
    next one stays blank. The soft limit is that low for programs that use select(2).
    Windows has no such limit.
    """
    if sys.platform == "win32":
        return
    try:
        import resource  # noqa: PLC0415 - not every system has it
    except ImportError:
        return
    _, given = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (_MAX, _MAX_OF_MACOS):
        soft, hard = _limits()
        wanted = min(most, hard)
        if soft < wanted:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (int(wanted), given))


def has_room_for_more_files(reserve: int = _RESERVE) -> bool:
    """Return whether the limit is more than `reserve` away; costs two system calls.

    A new descriptor gets the lowest free number, which is at most the number of those in use.
    """
    soft, _ = _limits()
    try:
        lowest_free = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return False
    os.close(lowest_free)
    return lowest_free + reserve < soft


def _limits() -> tuple[float, float]:
    """Return the soft and the hard limit; infinite if the system has none."""
    if sys.platform == "win32":
        return math.inf, math.inf
    try:
        import resource  # noqa: PLC0415 - not every system has it
    except ImportError:
        return math.inf, math.inf
    soft, hard = (
        math.inf if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, hard
