"""Act as PID 1 of a container: a parent that forwards signals and reaps orphans.

Standard library only, and imported before anything heavy. The app runs in the child. `waitpid(-1)`
is called only here, in the parent: in the app's own process it would steal the exit codes of the
user's subprocesses.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

if sys.platform == "win32":
    raise ImportError("There is no PID 1 on Windows.")

# Signals from the kernel to this very process, and those that a terminal sends to stop a background
# process; SIGCHLD is waited for, not forwarded.
_NOT_FORWARDED = frozenset(
    {
        signal.SIGABRT, signal.SIGBUS, signal.SIGCHLD, signal.SIGFPE, signal.SIGILL,
        signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP, signal.SIGSYS, signal.SIGTRAP,
        signal.SIGTTIN, signal.SIGTTOU,
    }
)  # fmt: skip
_FORWARDED = frozenset(signal.valid_signals()) - _NOT_FORWARDED


def run_in_child() -> None:
    """Return in a forked child; the parent stays behind and exits with the child's code.

    For a child killed by a signal the code is 128 plus its number, as in a shell. When the parent
    exits as PID 1, the kernel kills every process that is left in the container.
    """
    watched = _FORWARDED | {signal.SIGCHLD}
    # Blocked before the fork, so that no signal falls between fork and wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, watched | {signal.SIGTTOU})
    child = os.fork()
    if child:
        os._exit(_stand_by(child, watched))
    _take_terminal()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, watched | {signal.SIGTTOU})


def _stand_by(child: int, watched: frozenset[int]) -> int:
    while True:
        number = signal.sigwait(watched)
        if number != signal.SIGCHLD:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
            continue
        code = _reap(child)
        if code is not None:
            return code


def _reap(child: int) -> int | None:
    """Reap all ended processes; return the exit code of `child` if it is one of them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else 128 - ended


def _take_terminal() -> None:
    """Become a process group of its own, in the terminal's foreground.

    Ctrl-C goes to the whole foreground group: otherwise parent and child would both get it, and the
    child a second time from its parent.
    """
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):  # no terminal
        os.tcsetpgrp(0, os.getpgrp())
