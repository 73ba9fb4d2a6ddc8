"""End the processes that the user's code started; for the command line only.

`stlaunch.launch` runs inside somebody else's process, whose children are theirs. psutil takes 22 ms
to import and 0.9 MB of memory, which a start does not need.
"""

from __future__ import annotations

import contextlib

import psutil

_POLITE_S = 2.0
# Ends by itself with our last descriptor, and then cleans up any shared memory that is left.
_RESOURCE_TRACKER = "multiprocessing.resource_tracker"


def end_children() -> None:
    """Terminate all descendants of this process; kill those left after two seconds."""
    children = _children()
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.terminate()
    psutil.wait_procs(children, timeout=_POLITE_S)
    kill_children()


def kill_children() -> None:
    """Kill all descendants of this process."""
    for child in _children():
        with contextlib.suppress(psutil.Error):
            child.kill()


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if not _is_tracker(child)]


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return any(_RESOURCE_TRACKER in word for word in process.cmdline())
    except psutil.Error:
        return False
