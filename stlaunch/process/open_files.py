"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib
import os
import resource

_MAX = 65_536
_RESERVE = 32


def allow_many_open_files() -> None:
    """Raise the soft limit as far as the hard one goes, up to 65,536; never lower it.

    Streamlit takes four descriptors for a session, so the usual 1024 are used up by some 250 pages,
    and the next one stays blank. The soft limit is that low for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX if hard == resource.RLIM_INFINITY else min(_MAX, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # macOS has a limit below the one that it tells
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def has_room_for_more_files(reserve: int = _RESERVE) -> bool:
    """Whether the process is further than `reserve` from its limit; costs two system calls.

    A new descriptor gets the lowest free number, which is at most the number of those in use.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        lowest_free = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(lowest_free)
    return soft == resource.RLIM_INFINITY or lowest_free + reserve < soft
