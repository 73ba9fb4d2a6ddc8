"""End this process in time, whatever the user's code left running; for the command line alone.

`stlaunch.launch` runs inside of somebody else's process, whose children and threads are theirs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

import psutil

_POLITE_S = 2.0
# Ends by itself with our last descriptor, and then cleans up what shared memory is left.
_RESOURCE_TRACKER = "multiprocessing.resource_tracker"


def end_children() -> None:
    """Terminate every process that descends from this one; kill what is left after two seconds."""
    children = _children()
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.terminate()
    psutil.wait_procs(children, timeout=_POLITE_S)
    kill_children()


def kill_children() -> None:
    """Kill every process that descends from this one."""
    for child in _children():
        with contextlib.suppress(psutil.Error):
            child.kill()


def exit_within(seconds: float, code: int) -> None:
    """See to it that the process is gone by then: a thread that never ends would hold it up."""
    timer = threading.Timer(seconds, exit_now, [code])
    timer.daemon = True
    timer.start()


def exit_now(code: int) -> None:
    """End without waiting for anything."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if not _is_tracker(child)]


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return any(_RESOURCE_TRACKER in word for word in process.cmdline())
    except psutil.Error:
        return False
