"""End the processes that the user's code started; for the command line only.

`stlaunch.launch` runs inside of somebody else's process, whose children are theirs. psutil takes
22 ms to import and 0.9 MB, which a start does without.
"""

from __future__ import annotations

import contextlib

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


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if not _is_tracker(child)]


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return any(_RESOURCE_TRACKER in word for word in process.cmdline())
    except psutil.Error:
        return False
