"""Names that cannot be looked up, or whose look-up never ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.protocol import open_session
from tests.lifecycle.running import DEADLINE_S, STLAUNCH, listening

APP = "import streamlit as st\nst.write('shown')\n"


@pytest.fixture(params=["refused", "silent"])
def around(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """A command that runs another one with a name server of ours; the silent one takes hours."""
    pid = os.getpid()
    address = f"127.{53 + pid // 65536}.{pid // 256 % 256}.{pid % 254 + 1}"
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        if request.param == "silent":
            server.bind((address, 53))
        resolver = tmp_path / "resolv.conf"
        resolver.write_text(f"nameserver {address}\noptions timeout:30 attempts:5\n")
        setup = f'mount --bind {resolver} /etc/resolv.conf && exec "$@"'
        yield ("unshare", "--mount", "sh", "-c", setup, "sh")


def test_the_app_neither_waits_for_a_name_nor_hangs_on_one_when_it_stops(
    around: tuple[str, ...], tmp_path: Path
) -> None:
    """`--verify` looks up the public URL, in the background; the app is there meanwhile."""
    flags = ["--public-url", "https://app.stlaunch.test/app", "--verify"]
    with listening(tmp_path, *flags, around=around, app=APP) as running:
        with open_session(f"{running.url}app/") as page:
            shown = page.shown()
        running.send(signal.SIGTERM)
        code = running.wait()

    assert "shown" in shown
    assert code == 0
    assert "Traceback" not in running.log()


def test_localhost_is_where_proxies_connect(tmp_path: Path) -> None:
    """Most machines say that it is ::1 as well; `proxy_pass http://127.0.0.1:8501` needs IPv4."""
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 localhost\n127.0.0.1 localhost\n")
    code = (
        "from stlaunch.server.listener import bind_tcp\n"
        "print(bind_tcp('localhost', 0).socket.getsockname()[0])\n"
    )
    setup = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", setup, "sh", sys.executable, "-c", code],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip

    assert done.stdout == "127.0.0.1\n", done.stderr


def test_a_check_ends_in_its_time(around: tuple[str, ...], tmp_path: Path) -> None:
    """A look-up cannot be cancelled, and nobody waits for it."""
    done = subprocess.run(
        [*around, *STLAUNCH, "check", "http://app.stlaunch.test/", "--timeout", "2"],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip

    assert done.returncode in {1, 4}
    assert "app.stlaunch.test" in done.stdout
    assert "Traceback" not in done.stderr
