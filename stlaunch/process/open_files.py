"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib
import resource

_MAX = 65_536


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
