"""Run a proxy as a child process in its own directory; both end with the context.

It decides nothing about the configuration: that is the plan's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stlaunch.errors import StartError
from stlaunch.proxies.plans import (
    CERTIFICATE_AND_KEY_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    TlsFiles,
)
from stlaunch.proxies.ports import check_port_is_free
from stlaunch.storage.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    from collections.abc import Callable

_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 5.0
_POLL_S = 0.02
_LOG_LINES = 8


class ProxyProcess:
    """A running proxy, from its first accepted connection to its last descendant's end.

    Attributes:
        plan: what was started.
        directory: the private directory that it runs in; gone after the context.
        config_path: its configuration file in there.
        log_path: the file with all its output, in there.
    """

    def __init__(
        self,
        plan: ProxyPlan,
        binary: Path,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        before_exec: Callable[[], None] | None = None,
    ) -> None:
        """Remember what to start.

        Args:
            plan: the configuration and the command line.
            binary: the proxy's executable.
            should_stop: once true, entering waits no longer; the proxy is ended on leaving.
            before_exec: what the child does first; only where no other thread runs.
        """
        self.plan = plan
        self._binary = binary
        self._should_stop = should_stop
        self._before_exec = before_exec
        self._last_log = ""

    def __enter__(self) -> Self:
        host, port = _address(self.plan)
        # Otherwise the connection that shows readiness would reach another program.
        check_port_is_free(port, host)
        self._folder = TemporaryFolder(self.plan.name)
        self.directory = self._folder.path
        self.config_path = self.directory / self.plan.config_name
        self.log_path = self.directory / "output.log"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._write_files()
            self._process = self._start()
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.close()

    def raise_if_ended(self) -> None:
        """Raise if the proxy has ended by itself.

        Raises:
            StartError: with its exit code and the last lines that it wrote.
        """
        if self._process and has_ended(self._process):
            raise self._error(f"ended with exit code {end_process_group(self._process)}")

    @property
    def pid(self) -> int | None:
        """The process id while the context lasts, and the process group's."""
        return self._process.pid if self._process else None

    def log_text(self) -> str:
        """Return what the proxy has written so far; this still works after the context."""
        with contextlib.suppress(FileNotFoundError):
            self._last_log = self.log_path.read_text(encoding="utf-8", errors="replace")
        return self._last_log

    def close(self) -> None:
        """End the proxy and remove its directory; harmless when repeated."""
        if self._process:
            end_process_group(self._process)
        self.log_text()
        self._folder.remove()

    def _write_files(self) -> None:
        self.config_path.write_text(self.plan.config_text, encoding="utf-8")
        if self.plan.site.tls:
            _copy_tls_files(self.plan.site.tls, self.directory)

    def _start(self) -> subprocess.Popen[bytes]:
        # A small environment: variables such as TRAEFIK_* would change what is configured.
        environ = {
            "HOME": str(self.directory),
            "XDG_CONFIG_HOME": str(self.directory),
            "XDG_DATA_HOME": str(self.directory),
            "PATH": os.defpath,
        }
        with self.log_path.open("wb") as log:
            try:
                return subprocess.Popen(  # noqa: S603 - our own binary and arguments
                    [self._binary, *self.plan.arguments],
                    cwd=self.directory,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                    preexec_fn=self._before_exec,  # noqa: PLW1509 - the caller's promise
                )
            except OSError as exc:
                raise StartError(f"{self._binary} cannot be run: {exc.strerror}.") from exc

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_DEADLINE_S
        while not self._should_stop():
            self.raise_if_ended()
            if self._is_ready():
                return
            if time.monotonic() > deadline:
                raise self._error(f"was not ready within {_START_DEADLINE_S:.0f} s")
            time.sleep(_POLL_S)

    def _is_ready(self) -> bool:
        if self.plan.ready_path is None:
            return _accepts_connections(self.plan)
        return _answers_ok(self.plan, self.plan.ready_path)

    def _error(self, what: str) -> StartError:
        lines = self.log_text().splitlines()[-_LOG_LINES:]
        return StartError(
            f"{self.plan.name}, which was meant to listen on {self.plan.site.listen}, {what}.",
            hint="\n".join(["Its last output:", *lines]) if lines else "It printed nothing.",
        )


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a child has ended, without reaping it: its number stays its own."""
    if process.returncode is not None:
        return True
    if sys.platform != "linux":  # macOS has no waitid before Python 3.13
        import psutil  # noqa: PLC0415 - slow to import

        return bool(psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end_process_group(process: subprocess.Popen[bytes]) -> int:
    """End a child that leads its own process group, and all of that group; return its exit code.

    SIGTERM first; what is left after 5 s, or once the child itself is gone, gets SIGKILL. The
    child is reaped last, so that until then the group's number can be nobody else's.
    """
    if process.returncode is not None:
        return process.returncode
    _end_group(process, is_forced=False)
    deadline = time.monotonic() + _STOP_DEADLINE_S
    while not has_ended(process) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    _end_group(process, is_forced=True)
    return process.wait()


def _end_group(process: subprocess.Popen[bytes], *, is_forced: bool) -> None:
    if sys.platform == "win32":  # it has no groups: see require_unix
        process.kill()
        return
    # PermissionError is macOS's answer for a group of which only a zombie is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL if is_forced else signal.SIGTERM)


def _copy_tls_files(tls: TlsFiles, directory: Path) -> None:
    certificate, key = tls.certificate.read_bytes(), tls.key.read_bytes()
    (directory / CERTIFICATE_FILE).write_bytes(certificate)
    for name, content in ((KEY_FILE, key), (CERTIFICATE_AND_KEY_FILE, certificate + key)):
        path = directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def _address(plan: ProxyPlan) -> tuple[str, int]:
    listen = plan.site.listen
    return listen.host, listen.port_or_default(plan.site.scheme) or 0


def _accepts_connections(plan: ProxyPlan) -> bool:
    try:
        socket.create_connection(_address(plan), timeout=1).close()
    except OSError:
        return False
    return True


def _answers_ok(plan: ProxyPlan, path: str) -> bool:
    # Costly, and `stlaunch proxy` passes through this package without running any.
    import http.client  # noqa: PLC0415
    import ssl  # noqa: PLC0415

    from stlaunch.process.answers import answers_ok  # noqa: PLC0415

    host, port = _address(plan)
    # Only for our own child on its own port: whether it answers, not who it is.
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    connection = (
        http.client.HTTPSConnection(host, port, timeout=1, context=unchecked)
        if plan.site.tls
        else http.client.HTTPConnection(host, port, timeout=1)
    )
    return answers_ok(connection, path)
