"""End this process in time, whatever threads the user's code left; command line only.

`stlaunch.launch` runs inside somebody else's process, whose threads are theirs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading


def exit_within(seconds: float, code: int) -> None:
    """Make sure that the process is gone by then: a thread that never ends would keep it alive."""
    timer = threading.Timer(seconds, exit_now, [code])
    timer.daemon = True
    timer.start()


def exit_now(code: int) -> None:
    """End without waiting for anything."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
