"""`--uds`: the app on a Unix socket, for a proxy on the same machine."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import unix_connect

from tests.harness.protocol import Session

DEADLINE_S = 60


@pytest.fixture
def project(tmp_path: Path) -> Path:
    text = "import streamlit as st\nst.title('Hello from the page')\n"
    (tmp_path / "app.py").write_text(text, encoding="utf-8")
    return tmp_path


def _command(path: Path) -> list[str]:
    flags = ["--behind-proxy", "/app", "--uds", str(path)]
    return [sys.executable, "-m", "stlaunch", "app.py", *flags]


def _refused(project: Path, path: Path) -> str:
    """Start another one on the socket, and return what it says."""
    done = subprocess.run(
        _command(path), cwd=project, env={**os.environ, "HOME": str(project)},
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    return done.stderr


@contextmanager
def _serve(project: Path, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = project / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            _command(path), cwd=project, env={**os.environ, "HOME": str(project)}, stderr=stderr
        )
    try:
        deadline = time.monotonic() + DEADLINE_S
        while _status(path) != 200:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the socket never answered"
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _status(path: Path) -> int:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", "/_stlaunch/ready")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _shown(path: Path, front: str, headers: dict[str, str]) -> str:
    protocols: Any = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
    uri = f"ws://localhost/{front}_stcore/stream"
    with unix_connect(
        str(path), uri, subprotocols=protocols, additional_headers=headers
    ) as connection:
        return Session(connection).shown()


def test_the_app_is_served_over_the_socket(project: Path) -> None:
    """Stripped and kept; the proxy behind it is trusted; the file goes with the process."""
    path = project / "app.sock"
    browser = {"Origin": "https://app.example.test", "Cookie": "a=b"}
    forwarded = {"X-Forwarded-Host": "app.example.test", "X-Forwarded-Proto": "https"}

    with _serve(project, path) as process:
        mode = stat.S_IMODE(path.stat().st_mode)
        kept = _shown(path, "app/", browser | forwarded)
        stripped = _shown(path, "", browser | forwarded)
    log = (project / "log").read_text(encoding="utf-8")

    assert "Hello from the page" in kept
    assert "Hello from the page" in stripped
    assert mode == 0o660
    assert f"unix:{path}" in log
    assert process.returncode == 0
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(project: Path) -> None:
    """Leftovers of a killed process do no harm."""
    path = project / "app.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))

    with _serve(project, path):
        said = _refused(project, path)
        still = _status(path)

    assert f"Error: Another process listens on the unix socket {str(path)!r}." in said
    assert "Hint: " in said
    assert still == 200


def test_a_file_that_is_no_socket_is_left_alone(project: Path) -> None:
    """`--uds` with a mistyped path destroys nothing."""
    path = project / "notes.txt"
    path.write_text("mine", encoding="utf-8")

    said = _refused(project, path)

    assert "exists and is not a socket" in said
    assert path.read_text(encoding="utf-8") == "mine"
