"""The terminals of an example: one program in each, started in turn and ended together.

Owns a copy of the folders, the ports, and the PATH. It must not know what an example shows.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.examples.readmes import EXAMPLES, USUAL_PORTS, Example, move, read_example
from tests.harness.ports import free_port
from tests.harness.proxies import proxy_binary
from tests.harness.server import clean_environment

PROGRAMS = {"nginx": "nginx", "caddy": "caddy", "traefik": "traefik", "haproxy": "haproxy"}
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What runs.

    Attributes:
        urls: what the README says to open, on the ports of this test.
        ports: these ports, by the usual ones.
        log_file: what all the programs have printed.
    """

    urls: tuple[str, ...]
    ports: Mapping[str, int]
    log_file: Path

    def log(self) -> str:
        """Return what all the programs have printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@contextmanager
def open_terminals(
    example: Example, folder: Path, *, programs: Mapping[str, str] = PROGRAMS
) -> Iterator[Opened]:
    """Start a copy of the example as its README says until the block ends.

    Raises:
        AssertionError: if a program does not listen, or an address does not answer, in time.
    """
    ports = {usual: free_port() for usual in USUAL_PORTS}
    here = folder / example.folder.name
    for name in {example.folder.name, "hello"}:
        shutil.copytree(EXAMPLES / name, folder / name)
    move(here, ports)
    moved = read_example(here)
    opened = Opened(urls=moved.urls, ports=ports, log_file=folder / "log")
    environ = _environment(folder, ports, programs)
    with ExitStack() as stack:
        for command in moved.terminals:
            before = _listening(ports)
            stack.enter_context(_terminal(command, here, environ, opened.log_file))
            _wait_until(lambda before=before: _listening(ports) - before, command, opened)  # type: ignore[misc]
        for url in opened.urls:
            _wait_until(lambda url=url: _answers(url), url, opened)  # type: ignore[misc]
        yield opened


def _environment(
    folder: Path, ports: Mapping[str, int], programs: Mapping[str, str]
) -> dict[str, str]:
    """The stlaunch, Python and uvicorn of these tests come first, then the proxies."""
    binaries, home = folder / "bin", folder / "home"
    binaries.mkdir()
    home.mkdir()
    for name, kind in programs.items():
        (binaries / name).symlink_to(proxy_binary(kind))
    path = [str(Path(sys.executable).parent), str(binaries), os.environ["PATH"], "/usr/sbin"]
    return clean_environment(home=str(home)) | {
        "PATH": os.pathsep.join(path),
        "STLAUNCH_PORT": str(ports["8501"]),
        # Several of these run on one machine.
        "CADDY_ADMIN": f"127.0.0.1:{free_port()}",
    }


@contextmanager
def _terminal(
    command: str, folder: Path, environ: Mapping[str, str], log_file: Path
) -> Iterator[None]:
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            ["sh", "-c", command], cwd=folder, env=environ, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listening(ports: Mapping[str, int]) -> set[int]:
    found = set()
    for port in ports.values():
        with closing(socket.socket()) as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                found.add(port)
    return found


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = (
        http.client.HTTPSConnection(parts.netloc, context=ssl._create_unverified_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.netloc)
    )
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    return False


def _wait_until(is_so: Callable[[], object], what: str, opened: Opened) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what}\n{opened.log()}"
        time.sleep(0.05)
