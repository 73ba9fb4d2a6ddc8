"""Survive standard streams that were closed before the start, or that cannot be written to.

Uses only the standard library, and little of it: `stlaunch health` imports it.
"""

from __future__ import annotations

import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed_streams() -> None:
    """Open the closed standard streams of this process on the null device.

    A service manager or `2>&-` may start it like that. The next file or socket would get the closed
    one's number, and receive whatever a library prints.
    """
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def flush_or_drop(name: str) -> None:
    """Flush `sys.stdout` or `sys.stderr`; drop its buffer if the disk is full.

    Python would try again at the very end, and then exit with 120, whatever the code was.
    """
    stream = getattr(sys, name)
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
