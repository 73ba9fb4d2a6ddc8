"""Apps that start without the wait for their imports, which are most of a start's processor time.

A Python that has imported what an app needs forks for each one. What it forks is a process as any
other: a session, an environment and a folder of its own, real signals, an exit code. Owns those
processes. It must not know what a test does with them; a test of the start itself does not come
here.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# None of them reads the environment, HOME or the working folder while it is imported.
_IMPORTED = (
    "stlaunch.cli.entry",
    "stlaunch.cli.run",
    "stlaunch.launcher.facts",
    "stlaunch.launcher.render",
    "stlaunch.launcher.serve",
    "stlaunch.server.pings",
    "stlaunch.server.malformed_requests",
    "stlaunch.process.children",
    "stlaunch.gateway.selfcheck.endpoint",
    "streamlit.web.cli",
    "streamlit.web.server.starlette",
)
_MAX_REQUEST = 1 << 20
_SELF = "tests.harness.ready_python"


class ForkedApp:
    """An app's process, with the part of `subprocess.Popen` that a test needs."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self.pid = self._read_number()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with suppress(TimeoutError):
            return self.wait(0.001)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended.

        Raises:
            TimeoutError: if it has not within `timeout` seconds.
        """
        if self.returncode is None:
            self._parent.settimeout(timeout)
            self.returncode = self._read_number()
        return self.returncode

    def release(self) -> None:
        """Let the system give its number to others."""
        self._parent.close()

    def _read_number(self) -> int:
        return int(self._parent.recv(32))


def fork_app(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: IO[bytes]
) -> ForkedApp:
    """Run `stlaunch WORDS` in `cwd` with `env` alone; what it prints goes to `log`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
    channel, _ = _ready_python()
    with theirs:
        socket.send_fds(channel, [request], [log.fileno(), theirs.fileno()])
    return ForkedApp(ours)


@cache
def _ready_python() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start it, once in each worker; it ends when the worker does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", _SELF, str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
        )
    return ours, process


def _serve(requests: socket.socket) -> None:
    """Fork an app for each request; only the app returns, ready to run."""
    for module in _IMPORTED:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the parents of apps need no burial
    while True:
        request, handles, _, _ = socket.recv_fds(requests, _MAX_REQUEST, 2)
        if not request:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            log, tests = handles
            _fork_app(socket.socket(fileno=tests))
            return _become(json.loads(request), log)
        for handle in handles:
            os.close(handle)


def _fork_app(tests: socket.socket) -> None:
    """Fork, send `tests` the child's number and later its exit code; the child returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        tests.close()
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        tests.send(str(pid).encode())
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        is_exit = ended is not None and ended.si_code == os.CLD_EXITED
        tests.send(str(ended.si_status if is_exit else -ended.si_status).encode())
        tests.recv(1)  # until it is closed, the number of the app stays its own
    os.waitpid(pid, 0)
    os._exit(0)


def _become(request: dict[str, Any], log: int) -> None:
    """Give this process all that a new one has of its own."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for handle, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(handle, number)
    for handle in (nothing, log):
        os.close(handle)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]
    sys.argv = ["stlaunch", *request["words"]]


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("stlaunch", run_name="__main__", alter_sys=True)
