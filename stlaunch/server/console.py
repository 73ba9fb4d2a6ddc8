"""Stop in time when Windows closes the console, logs the user off or shuts down.

Ctrl-C and Ctrl-Break are signals, and not handled here. Python turns the other events into signals
too, but Windows ends the process as soon as their handler returns.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

_CLOSE, _LOGOFF, _SHUTDOWN = 2, 5, 6  # of <consoleapi.h>
_ENDING = frozenset({_CLOSE, _LOGOFF, _SHUTDOWN})
_MAX_S = 5.0
"""Windows waits no longer than this for the handler."""


@contextlib.contextmanager
def stopping_with_console(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` if the console goes away while the block runs, and give it time to act.

    Do nothing outside Windows, where a terminal sends SIGHUP instead.

    Args:
        stop: called in a thread that Windows starts.
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
    """Call `stop` if the console is going away, and wait for the process to end by itself.

    Return True if the event needs no other handler.
    """
    if event not in _ENDING:
        return False
    stop()
    wait(_MAX_S)
    return True
