"""`stlaunch demo`: the whole thing in ten seconds, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.harness.browser import Visit
from tests.harness.ports import free_port

pytestmark = pytest.mark.proxy

CASES = [
    ("nginx", "blog", False),
    ("nginx", "three-lines", True),
    ("caddy", "recommended", False),
    ("traefik", "recommended", True),
    ("haproxy", "recommended", False),
    ("envoy", "recommended", True),
]


@pytest.mark.parametrize(("proxy", "setup", "keep_prefix"), CASES)
def test_demo_serves_and_leaves_nothing(
    tmp_path: Path, proxy: str, setup: str, *, keep_prefix: bool
) -> None:
    """The app answers behind each proxy, and Ctrl-C ends every process of it."""
    keep = ["--keep-prefix"] if keep_prefix else []
    with _demo(tmp_path, "--proxy", proxy, "--setup", setup, *keep) as (process, url):
        with urllib.request.urlopen(url, timeout=60) as page:
            body = page.read()
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)

    assert b"_stlaunch/page.js" in body
    assert len(family) >= 2, "the app and the proxy"
    assert code == 130
    assert not [child for child in family if child.is_running()]


@pytest.mark.browser
def test_demo_renders_behind_the_blog_configuration(visit: Visit, tmp_path: Path) -> None:
    """A newcomer sees a working app even behind a proxy that lets no WebSocket through."""
    with _demo(tmp_path, "--setup", "blog") as (_, url):
        visit.page.goto(url)
        visit.page.get_by_role("button", name="Count").click()
        visit.page.get_by_text("1", exact=True).first.wait_for()


@contextmanager
def _demo(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    url = f"http://localhost:{port}/streamlitApp/"
    log = folder / "demo.log"
    command = [sys.executable, "-m", "stlaunch", "demo", "--port", str(port), *options]
    with log.open("wb") as output:
        environ = os.environ | {"HOME": str(folder)}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
    try:
        _wait_until_served(process, url, log)
        yield process, url
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_until_served(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url + "_stlaunch/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the demo is not served at {url}:\n{log.read_text()}")
