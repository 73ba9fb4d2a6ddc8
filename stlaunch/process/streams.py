"""Standard streams that were closed before the start, or that take no more: neither ends a server.

Nothing but the standard library, and little of it: `stlaunch health` imports it.
"""

from __future__ import annotations

import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed_streams() -> None:
    """Open those of this process that are closed, on nothing.

    A service manager or `2>&-` may start it so. The next file or socket would get the number of
    the closed one, and whatever a library prints would go there.
    """
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def flush_or_drop(name: str) -> None:
    """Write what `sys.stdout` or `sys.stderr` holds; drop it where the disk is full.

    Python would try again at its very end, and then exit with 120, whatever the code was.
    """
    stream = getattr(sys, name)
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
