"""Stop in time when Windows closes the console, logs the user off or shuts down.

Ctrl-C and Ctrl-Break are signals, and not handled here. Of the other events Python makes signals as
well, but Windows ends the process as soon as the handler of one returns.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

_CLOSE, _LOGOFF, _SHUTDOWN = 2, 5, 6  # of <consoleapi.h>
_ENDING = frozenset({_CLOSE, _LOGOFF, _SHUTDOWN})
_MAX_S = 5.0
"""Windows waits no longer for the handler."""


@contextlib.contextmanager
def stopping_with_console(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` when the console goes away while the block runs, and give it time to act.

    Outside of Windows a terminal says so by SIGHUP, and nothing is done.

    Args:
        stop: called in a thread of Windows's own.
    """
    if sys.platform != "win32":
        yield
        return
    import ctypes  # noqa: PLC0415 - for this system alone

    kernel = ctypes.WinDLL("kernel32")
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(
        lambda event: on_console_event(event, stop)
    )
    kernel.SetConsoleCtrlHandler(handler, True)
    try:
        yield
    finally:
        kernel.SetConsoleCtrlHandler(handler, False)


def on_console_event(
    event: int, stop: Callable[[], object], *, wait: Callable[[float], object] = time.sleep
) -> bool:
    """Call `stop` where the console goes away, and wait for the process to end by itself.

    True where the event needs no other handler.
    """
    if event not in _ENDING:
        return False
    stop()
    wait(_MAX_S)
    return True
