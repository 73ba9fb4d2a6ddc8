"""End a child together with its parent, even if the parent was killed.

Linux alone has this; elsewhere such children go on. It starts no process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> Callable[[], None] | None:
    """Return what a child does between fork and exec, so that it gets SIGTERM when we are gone.

    For `subprocess.Popen(preexec_fn=...)`; safe where no other thread runs. The kernel watches the
    thread that forks, so it has to be the main one.
    """
    if sys.platform != "linux":
        return None
    control = ctypes.CDLL(None).prctl  # found before the fork: the child only calls it
    parent = os.getpid()

    def ask_kernel() -> None:
        control(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was gone before the kernel was asked
            os._exit(1)

    return ask_kernel
