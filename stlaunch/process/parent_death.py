"""End a child together with its parent, even if the parent was killed.

Only Linux supports this; elsewhere such children live on. It starts no process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> Callable[[], None] | None:
    """Return a function to run between fork and exec: the child gets SIGTERM when we are gone.

    For `subprocess.Popen(preexec_fn=...)`; safe if no other thread runs. The kernel watches the
    thread that forks, so it has to be the main one.
    """
    if sys.platform != "linux":
        return None
    control = ctypes.CDLL(None).prctl  # looked up before the fork: the child only calls it
    parent = os.getpid()

    def ask_kernel() -> None:
        control(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent was gone before the call
            os._exit(1)

    return ask_kernel
