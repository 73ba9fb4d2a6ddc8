"""A hundred sessions come, run the script and go, through a real proxy, for a long time.

CI runs it for a short time; ten minutes are asked for with SOAK_SECONDS=600.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from websockets.sync.client import connect

from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.protocol import Session, open_session
from tests.harness.proxies import start_proxy
from tests.harness.server import stlaunch_app

pytestmark = [pytest.mark.slow, pytest.mark.proxy]

APP = REPOSITORY / "tests" / "apps" / "soak" / "streamlit_app.py"
SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
SESSIONS = 100
RUNS = 2
LOOKING_S = 8.0
"""How long a visitor looks at each result; all of them together ask for 12 runs a second."""
# Streamlit keeps up to 128 sessions of pages that have gone, in case they come back: before all
# of those places are taken there is no plateau.
WARM_UP_SESSIONS = 160
MOST_GROWTH = 1.10
SETTLE_S = 180.0


class Visitors:
    """Threads that are pages, one after the other."""

    def __init__(self, url: str) -> None:
        self.gone = 0
        self.trouble: list[str] = []
        self._url = url
        self._lock = threading.Lock()
        self._should_stop = threading.Event()
        self._threads = [threading.Thread(target=self._live) for _ in range(SESSIONS)]

    @contextmanager
    def coming_and_going(self) -> Iterator[None]:
        try:
            for thread in self._threads:  # not all at once, as people do not come
                thread.start()
                time.sleep(RUNS * LOOKING_S / SESSIONS)
            yield
        finally:
            self._should_stop.set()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join(60)

    def _live(self) -> None:
        while not self._should_stop.is_set():
            try:
                with self._open() as session:
                    for run in range(1, RUNS + 1):
                        shown = session.shown()
                        assert f"runs={run}\n" in shown, shown
                        self._should_stop.wait(LOOKING_S)
            except Exception as exc:  # noqa: BLE001 - told in the main thread
                self.trouble.append(repr(exc))
                return
            with self._lock:
                self.gone += 1

    @contextmanager
    def _open(self) -> Iterator[Session]:
        address = self._url.replace("http", "ws", 1) + "_stcore/stream"
        protocols: list[Any] = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
        # A hundred threads may be late to answer pings, which is nobody's fault.
        with connect(
            address, subprotocols=protocols, ping_interval=None, open_timeout=60, max_size=None
        ) as socket:
            yield Session(socket)


def wait_until(is_true: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + SETTLE_S
    while not is_true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.5)


def tasks_of(url: str) -> int:
    with open_session(url) as session:
        return int(re.search(r"tasks=(\d+)", session.shown())[1])


@pytest.mark.timeout(SECONDS + 400)
def test_nothing_is_left_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """Memory stays on its plateau, no error is logged; no task and no descriptor stays behind."""
    with (
        stlaunch_app(APP, free_port()) as server,
        start_proxy("nginx", "recommended", server.port, keep_prefix=False) as proxy,
    ):
        url = proxy.url_for("127.0.0.1")
        process = psutil.Process(server.pid)
        tasks_of(url)
        tasks_before, descriptors_before = tasks_of(url), process.num_fds()
        visitors = Visitors(url)
        with visitors.coming_and_going():
            wait_until(
                lambda: visitors.gone >= WARM_UP_SESSIONS or bool(visitors.trouble),
                lambda: f"only {visitors.gone} sessions came and went",
            )
            sizes = []
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and not visitors.trouble:
                sizes.append(process.memory_info().rss)
                time.sleep(0.2)
        assert visitors.trouble == []
        wait_until(
            lambda: tasks_of(url) <= tasks_before and process.num_fds() <= descriptors_before,
            lambda: (
                f"tasks: {tasks_before} before, {tasks_of(url)} after; "
                f"descriptors: {descriptors_before} before, {process.num_fds()} after"
            ),
        )
        log = server.log()

    fifth = len(sizes) // 5
    plateau, at_end = statistics.median(sizes[: 2 * fifth]), statistics.median(sizes[-fifth:])
    with capsys.disabled():
        sys.stdout.write(
            f"\nsoak: {visitors.gone} sessions in {SECONDS:.0f} s after the warm-up, "
            f"memory {plateau / 1e6:.0f} MB, at the end {at_end / 1e6:.0f} MB\n"
        )
    assert at_end <= plateau * MOST_GROWTH
    assert "Traceback" not in log
    assert not re.search(r"ERROR|WARNING", log), log
