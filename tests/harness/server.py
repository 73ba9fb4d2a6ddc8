"""Start a server in its own process group, wait until it answers, and always reap it.

Owns processes that serve HTTP on loopback. It must not know about browsers or proxies.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stlaunch.platforms.table import PLATFORMS
from tests.harness.ready_python import ForkedApp, fork_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

_MEASURING = ("COVERAGE_",)
"""Coverage makes the start of an app half as slow again: only the subject of a test is measured."""
SHARED_CACHE = "TESTS_SHARED_CACHE"
"""The environment variable that names the cache of all servers of a run.

With an empty one each, they would compress all of Streamlit's scripts, which costs twice as much
as to start.
"""
START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 10.0
MEASURED_PYTHON = "MEASURED_PYTHON"
"""The environment variable by which benchmarks name an interpreter of their own."""


class ServerFailedError(AssertionError):
    """A server did not come up; the message holds its log."""


class RunningServer:
    """A server process that can be stopped and started again on the same port.

    Use `start_server`, which reaps it.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        ready_path: str,
        port: int,
        log_path: Path,
        is_forked: bool = False,
    ) -> None:
        self.args = [str(arg) for arg in args]
        self.cwd = cwd
        self.env = dict(env)
        self.ready_path = ready_path
        self.port = port
        self.log_path = log_path
        self.is_forked = is_forked
        self._process: subprocess.Popen[bytes] | ForkedApp | None = None

    @property
    def url(self) -> str:
        """The server's own address, with a final slash."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def log(self) -> str:
        """Return all that the server has printed so far, over restarts too."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Wait until the log contains `text` and return the whole log.

        Raises:
            AssertionError: If it does not come in time.
        """
        deadline = time.monotonic() + timeout_s
        while text not in (log := self.log()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} never came in the log:\n{log}")
            time.sleep(0.05)
        return log

    def start(self) -> None:
        """Start the process and return once the ready path answers 200.

        Raises:
            ServerFailedError: If it exits or does not answer before the deadline.
        """
        with self.log_path.open("ab") as log:
            self._process = (
                fork_app(self.args, cwd=self.cwd, env=self.env, log=log)
                if self.is_forked
                else subprocess.Popen(
                    self.args,
                    cwd=self.cwd,
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        deadline = time.monotonic() + START_DEADLINE_S
        while not _answers_200(self.port, self.ready_path):
            if _has_exited(self._process):
                code = self.terminate()
                raise ServerFailedError(f"{self.args} exited with {code}:\n{self.log()}")
            if time.monotonic() > deadline:
                self.terminate()
                raise ServerFailedError(f"{self.args} was never ready:\n{self.log()}")
            time.sleep(0.05)

    def terminate(self) -> int | None:
        """Stop the whole process group, by force after a while, and return the exit code."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_DEADLINE_S
        while not _has_exited(process) and time.monotonic() < deadline:
            time.sleep(0.02)
        # Also when the leader went quietly: it may have left children behind. It is reaped last,
        # so that until then its number can be nobody else's.
        _signal_group(process.pid, signal.SIGKILL)
        code = process.wait()
        if isinstance(process, ForkedApp):
            process.release()
        return code

    def restart(self) -> None:
        """Stop the server and start the same command again on the same port."""
        self.terminate()
        self.start()


@contextmanager
def start_server(
    args: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    ready_path: str,
    port: int,
    is_forked: bool = False,
) -> Iterator[RunningServer]:
    """Run `args` until the block ends, ready when GET `ready_path` on `port` gives 200.

    Where `is_forked`, `args` are those of `stlaunch`, which is imported already. `env` is added to
    an environment with an empty HOME and without the caller's own
    `STREAMLIT_*`, `STLAUNCH_*`, `COVERAGE_*` and proxy variables.

    Raises:
        ServerFailedError: If it exits or does not answer before the deadline.
    """
    with tempfile.TemporaryDirectory(prefix="stlaunch-test-", ignore_cleanup_errors=True) as folder:
        server = RunningServer(
            args,
            cwd=cwd,
            env=clean_environment(home=folder) | dict(env or {}),
            ready_path=ready_path,
            port=port,
            log_path=Path(folder) / "server.log",
            is_forked=is_forked,
        )
        try:
            server.start()
            yield server
        finally:
            server.terminate()


def measured_python() -> str:
    """Return the Python whose packages are run: the tests' own, unless a benchmark chose one."""
    return os.environ.get(MEASURED_PYTHON, sys.executable)


def bare_streamlit(app: Path, port: int, *flags: str) -> AbstractContextManager[RunningServer]:
    """Run `streamlit run app` as everybody does, in the app's own folder."""
    command = [measured_python(), "-m", "streamlit", "run", str(app), *flags]
    base = _flag(flags, "--server.baseUrlPath").strip("/")
    return start_server(
        [
            *command,
            f"--server.port={port}",
            "--server.address=127.0.0.1",
            "--server.headless=true",
            "--browser.gatherUsageStats=false",
        ],
        cwd=app.parent,
        ready_path=f"/{base}/_stcore/health" if base else "/_stcore/health",
        port=port,
    )


def stlaunch_app(app: Path, port: int, *flags: str) -> AbstractContextManager[RunningServer]:
    """Run `stlaunch app` with `flags`, in the app's folder; in a test it is imported already."""
    is_forked = SHARED_CACHE in os.environ and MEASURED_PYTHON not in os.environ
    command = [] if is_forked else [measured_python(), "-m", "stlaunch"]
    return start_server(
        [*command, str(app), *flags, "--port", str(port), "--host", "127.0.0.1"],
        cwd=app.parent,
        env={"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"},
        ready_path="/_stlaunch/health",
        port=port,
        is_forked=is_forked,
    )


def clean_environment(*, home: str) -> dict[str, str]:
    """Return this environment with another HOME, and nothing that would configure an app."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAMLIT_", "STLAUNCH_", *_MEASURING))
        and not name.lower().endswith("_proxy")
    }
    for name in platform_variables(inherited):
        del inherited[name]  # the machine that runs the tests may be a platform itself
    if SHARED_CACHE in os.environ:
        inherited["XDG_CACHE_HOME"] = os.environ[SHARED_CACHE]
    return inherited | {"HOME": home, "PYTHONUNBUFFERED": "1"}


def unmeasured_environment() -> dict[str, str]:
    """Return the environment for a program whose imports or cost are looked at, not its lines."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_MEASURING)}


def measured_environment() -> dict[str, str]:
    """Return what a server needs whose lines count: one that is the subject of the test."""
    return {name: value for name, value in os.environ.items() if name.startswith(_MEASURING)}


def platform_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables by which stlaunch would recognise a platform."""
    conditions = {
        condition.partition("=")[0].lstrip("!")
        for platform in PLATFORMS
        for sign in platform.signs
        for condition in sign.value.split()
    } | {"PORT"}
    fronts = tuple(condition[:-1] for condition in conditions if condition.endswith("*"))
    return [name for name in environ if name in conditions or name.startswith(fronts)]


def _flag(flags: Sequence[str], name: str) -> str:
    for flag, following in zip(flags, (*flags[1:], ""), strict=False):
        if flag == name:
            return following
        if flag.startswith(f"{name}="):
            return flag.partition("=")[2]
    return ""


def _answers_200(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _has_exited(process: subprocess.Popen[bytes] | ForkedApp) -> bool:
    if isinstance(process, ForkedApp):
        return process.poll() is not None
    if process.returncode is not None:  # a test has waited for it
        return True
    state = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return state is not None


def _signal_group(process_id: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process_id, number)
