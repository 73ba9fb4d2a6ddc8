"""A wall clock that jumps, and a machine that has just been switched on."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import REPOSITORY
from tests.fallback.client import Page
from tests.harness.protocol import open_session, rerun_message
from tests.lifecycle.running import Running, listening

APP = """\
import time
import streamlit as st
st.write(f"year={time.gmtime(time.time()).tm_year};")
"""
SHIFTED = """\
import os
import time

now = time.time


def shifted():
    with open(os.environ["CLOCK"]) as file:
        return now() + float(file.read() or 0)


time.time = shifted
time.time_ns = lambda: int(shifted() * 1e9)
"""
YEARS = 10
A_YEAR_S = 365.25 * 86400
FOREIGN = {"Origin": "https://elsewhere.test", "Cookie": "a=b"}


@pytest.fixture
def tunnels() -> Iterator[None]:
    yield
    while Page.opened:
        Page.opened.pop().http.close()


class Clock:
    """The wall clock of one app, which can be shifted while it runs.

    Python's own: a library below it (libfaketime) breaks sleeping as well.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        (folder / "sitecustomize.py").write_text(SHIFTED, encoding="utf-8")
        self.env = {"PYTHONPATH": f"{folder}:{REPOSITORY}", "CLOCK": str(self._file)}
        self.shift(0)

    def shift(self, years: int) -> int:
        """Shift it, counted from the machine's; return the year that it shows."""
        self._file.write_text(f"{years * A_YEAR_S:.0f}")
        return time.gmtime(time.time() + years * A_YEAR_S).tm_year


def ask(running: Running, name: str) -> Any:
    status, _, body = running.get(f"/app/_stlaunch/{name}", X_Stlaunch="1")
    assert status == 200, body
    return json.loads(body)


def open_with_proof(running: Running, cookies: str, token: str) -> None:
    """Open a socket whose Host a proxy rewrote, by what a page got before."""
    protocols: Any = ["streamlit", "PLACEHOLDER_AUTH_TOKEN", f"stlaunch.{token}"]
    headers = {"Cookie": cookies, "Origin": "http://app.example.test"}
    address = f"ws://127.0.0.1:{running.port}/app/_stcore/stream"
    with connect(address, subprotocols=protocols, additional_headers=headers):
        pass


def run_over(tunnel: Page) -> bytes:
    """Run the script over HTTP, and return what it shows."""
    tunnel.send(rerun_message())
    shown = b""
    while b"year=" not in shown:
        shown += b"".join(message.payload for message in tunnel.poll())
    return shown


def test_a_step_of_years_forth_and_back_changes_nothing(tmp_path: Path, tunnels: None) -> None:
    """Sessions, tunnels, tokens and limits go by a clock that only goes forward; so do ages."""
    clock = Clock(tmp_path)  # each look at it is an event in the folder that it is in
    folder = tmp_path / "app"
    folder.mkdir()
    with (
        listening(folder, "--behind-proxy", "/app", env=clock.env, app=APP) as running,
        open_session(f"{running.url}app/") as page,
    ):
        page.shown()
        tunnel = Page(f"{running.url}app/_stlaunch")
        assert tunnel.open().status_code == 200
        run_over(tunnel)
        _, headers, body = running.get("/app/")
        cookies = "; ".join(line.partition(";")[0] for line in headers.get_all("Set-Cookie") or [])
        token, _for_https = re.findall(r'data-tokens="([^"]+)"', body)[0].split()
        open_with_proof(running, cookies, token)
        for years in (YEARS, -YEARS):
            year = clock.shift(years)
            assert f"year={year};" in page.shown()
            assert f"year={year};".encode() in run_over(tunnel)
            with open_session(f"{running.url}app/") as newcomer:
                assert f"year={year};" in newcomer.shown()
            open_with_proof(running, cookies, token)
            ticket = ask(running, "ticket")["ticket"]
            assert running.get(f"/app/_stlaunch/arrived?ticket={ticket}", X_Stlaunch="1")[0] != 403
            report = ask(running, "check")
            ages = [report["instance"]["uptime_s"]]
            ages += [last["age_s"] for last in report["handshakes"]["last"].values()]
            assert len(ages) > 1
            assert all(0 <= age < 3600 for age in ages)
        running.send(signal.SIGTERM)
        code = running.wait()

    assert code == 0
    assert not re.search(r"Traceback|ERROR", running.log())


def test_a_machine_that_has_just_been_switched_on(tmp_path: Path, tunnels: None) -> None:
    """Seconds after boot no clock of ours is old enough for "a minute ago": all works the same."""
    late = int(time.clock_gettime(time.CLOCK_MONOTONIC)) - 1
    around = ("unshare", "--time", f"--monotonic=-{late}", "--fork", "--kill-child")
    app = f"{APP}st.write(f'up={{time.monotonic():.0f}};')\n"
    with listening(tmp_path, "--behind-proxy", "/app", around=around, app=app) as running:
        with open_session(f"{running.url}app/") as page:
            shown = page.shown()
        tunnel = Page(f"{running.url}app/_stlaunch")
        assert tunnel.open().status_code == 200
        over_http = run_over(tunnel)
        refuse(running)
        running.wait_until(lambda: "STL501" in running.log(), "the line about it")
        uptime_s = ask(running, "check")["instance"]["uptime_s"]
        os.kill(running.below()[0].pid, signal.SIGTERM)
        code = running.wait()

    assert int(re.findall(r"up=(\d+);", shown)[0]) < late
    assert b"year=" in over_http
    assert 0 <= uptime_s < 3600
    assert code == 0


def refuse(running: Running) -> None:
    with pytest.raises(InvalidStatus), open_session(f"{running.url}app/", FOREIGN):
        pass
