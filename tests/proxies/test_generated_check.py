"""`stlaunch check` through every generated configuration, and `stlaunch proxy --verify`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import anyio
import pytest

from stlaunch.check.diagnosis import diagnose
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from tests.harness.generated import RUNNABLE, generated_site, start_generated
from tests.harness.ports import free_port
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.tls import APP_HOST, Tls

pytestmark = [pytest.mark.proxy, pytest.mark.unmeasured]

TIMEOUT_S = 90.0


@pytest.fixture(scope="module")
def server(hello_app: Path) -> Iterator[RunningServer]:
    with stlaunch_app(hello_app, free_port(), "--behind-proxy", "/streamlitApp") as server:
        yield server


@pytest.mark.parametrize("keep_prefix", [True, False], ids=["kept", "stripped"])
@pytest.mark.parametrize("name", RUNNABLE)
def test_check_reports_nothing(
    server: RunningServer,
    tls: Tls,
    name: str,
    keep_prefix: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority))
    site = generated_site(name, [server.port], keep_prefix=keep_prefix, is_https=True)
    site = replace(site, self_check_from=())  # the tests come from the proxy's own machine
    with start_generated(name, site, tls if site.is_https else None) as proxy:
        target = Target.parse(proxy.url_for(APP_HOST), connect_to=f"127.0.0.1:{proxy.port}")
        seen = anyio.run(observe, CheckOptions(target=target, timeout_s=TIMEOUT_S))

    found = {finding.code: finding.evidence for finding in diagnose(seen).findings}
    assert found == {}


def test_verify_waits_says_what_is_wrong_and_then_passes(
    server: RunningServer, tls: Tls, tmp_path: Path
) -> None:
    """Nothing answers, then a proxy that loses the upgrade, then the generated configuration."""
    with ExitStack() as stack:
        lossy = stack.enter_context(
            start_proxy("nginx", "blog", server.port, keep_prefix=True, tls=tls)
        )
        middle = stack.enter_context(start_switch())
        command = stack.enter_context(
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "stlaunch", "proxy", "nginx", "--verify"),
                    *("--public-url", f"https://{APP_HOST}:{middle.port}/streamlitApp"),
                    *("--connect-to", f"127.0.0.1:{middle.port}", "--wait", "170"),
                    *("--upstream", f"127.0.0.1:{server.port}"),
                    *("--output", str(tmp_path / "nginx.conf")),
                ],
                cwd=tmp_path,
                env=os.environ | {"SSL_CERT_FILE": str(tls.authority)},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(command.kill)
        assert command.stderr is not None
        said = read_until(command.stderr, "Waiting for")
        middle.leads_to(lossy.port)
        said += read_until(command.stderr, "Checking again")
        site = generated_site("nginx", [server.port], keep_prefix=True, is_https=True)
        good = stack.enter_context(start_generated("nginx", site, tls))
        middle.leads_to(good.port)
        said += read_until(command.stderr, "PASS")

        assert command.wait(timeout=60) == 0

    assert "nginx -t && nginx -s reload" in said
    assert "STL301" in said
    assert (tmp_path / "nginx.conf").exists()


def test_verify_gives_up_where_nothing_answers(tmp_path: Path) -> None:
    port = free_port()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "stlaunch", "proxy", "nginx", "--verify", "--wait", "1"),
            *("--public-url", f"http://127.0.0.1:{port}/app"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 4
    assert f"No answer from the app at http://127.0.0.1:{port}/app" in done.stderr


def read_until(stream: TextIO, word: str) -> str:
    """Read lines until one holds the word; the end of the stream fails."""
    said = ""
    while word not in said:
        line = stream.readline()
        assert line, f"{word!r} never came:\n{said}"
        said += line
    return said


class Switch:
    """A port that forwards connections to another one, which may change."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._target: int | None = None
        self._sockets: list[socket.socket] = [self._listener]

    def leads_to(self, port: int) -> None:
        """Forward new connections to this port."""
        self._target = port

    def run(self) -> None:
        """Accept until closed; without a target, connections end at once."""
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(inner)
            if self._target is None:
                inner.close()
                continue
            outer = socket.create_connection(("127.0.0.1", self._target))
            self._sockets.append(outer)
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def close(self) -> None:
        """End everything."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@contextmanager
def start_switch() -> Iterator[Switch]:
    """Run a switch until the block ends."""
    switch = Switch()
    thread = threading.Thread(target=switch.run, daemon=True)
    thread.start()
    try:
        yield switch
    finally:
        switch.close()
        thread.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
