"""`--verify`: the running server dials its own public URL, and reports the result once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stlaunch.launcher.verify import verify
from tests.harness.broken_nginx import BASE, start_broken
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.upstream import start_upstream

pytestmark = pytest.mark.proxy


@pytest.fixture(scope="module")
def server(hello_app: Path) -> Iterator[RunningServer]:
    with stlaunch_app(hello_app, free_port(), "--behind-proxy", BASE) as server:
        yield server


@pytest.mark.parametrize(
    ("breakage", "wanted"),
    [
        ("healthy", "Verified: http://127.0.0.1:{port}/streamlitApp/ reaches this app"),
        ("stripped", "Not verified: http://127.0.0.1:{port}/streamlitApp/ has the problems above"),
    ],
)
def test_the_launch_says_what_the_public_url_does(
    hello_app: Path, breakage: str, wanted: str
) -> None:
    """The proxy is up before the app; the verdict comes by itself."""
    port = free_port()
    with start_broken(breakage, port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}{BASE}"
        flags = ["--public-url", url, "--verify", "--self-check", "token"]
        with stlaunch_app(hello_app, port, *flags) as server:
            log = server.wait_for_log(wanted.format(port=proxy.port), timeout_s=60)

    assert ("STL301" in log) == (breakage == "stripped")
    if breakage == "healthy":
        assert "WARNING" not in log, "the server takes the check's own probes for users"
    else:
        assert log.count("Not verified: ") == 1


def test_self_check_off_is_verified_too(hello_app: Path) -> None:
    port = free_port()
    with start_broken("healthy", port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}{BASE}"
        flags = ["--public-url", url, "--verify", "--self-check", "off"]
        with stlaunch_app(hello_app, port, *flags) as server:
            log = server.wait_for_log("erified: ", timeout_s=60)

    assert "Verified: " in log


def test_each_trouble_has_its_code(server: RunningServer) -> None:
    """Nothing listens; something else answers; another instance answers, which a replica may."""
    nobody = verify(f"http://127.0.0.1:{free_port()}/app", instance="", key="")
    with start_upstream() as upstream:
        other = verify(f"http://127.0.0.1:{upstream.port}/app", instance="", key="")
    replica = verify(f"http://127.0.0.1:{server.port}{BASE}", instance="0" * 16, key="")
    any_of_them = verify(f"http://127.0.0.1:{server.port}{BASE}", instance="", key="")

    assert [finding.code for finding in nobody] == ["STL102"]
    assert [finding.code for finding in other] == ["STL122"]
    assert [finding.code for finding in replica] == ["STL702"]
    assert not any_of_them


def test_the_start_does_not_pay_for_it() -> None:
    code = "import sys, stlaunch.launcher.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "stlaunch.launcher.verify" in done.stdout.split()
    assert not any(name.startswith("stlaunch.check") for name in done.stdout.split())
