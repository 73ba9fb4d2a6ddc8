"""Rounds of a hundred visitors who come, do something and go, through a real nginx.

They use the WebSocket, the tunnel, uploads, lose their connections, or are refused.

CI runs it in a short form; `STLAUNCH_SOAK_S=600` makes it ten minutes.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.protocol import Session, open_session
from tests.harness.proxies import start_proxy
from tests.harness.server import stlaunch_app
from tests.soak.visitors import Visitors
from tests.soak.ways import ALL_WAYS

if TYPE_CHECKING:
    from tests.harness.server import RunningServer

SECONDS = float(os.environ.get("STLAUNCH_SOAK_S", "20"))
SESSIONS = 100
AT_ONCE = 20
PAUSE_S = 0.7
KEPT_S = 4
"""Streamlit keeps a session whose page has gone, in case it comes back: 120 s by default."""
WARM_UP_SESSIONS = 100
MAX_GROWTH = 1.05
MAX_HEAPS = 4
DEADLINE_S = 240.0

pytestmark = [pytest.mark.slow, pytest.mark.proxy, pytest.mark.timeout(SECONDS + 3 * DEADLINE_S)]

APP = REPOSITORY / "tests" / "apps" / "soak" / "streamlit_app.py"


@dataclass(frozen=True, slots=True)
class Held:
    """What the server holds: its tasks by the names of their functions, its descriptors by kind."""

    tasks: Counter[str]
    descriptors: Counter[str]

    def __sub__(self, other: Held) -> Held:
        return Held(self.tasks - other.tasks, self.descriptors - other.descriptors)

    def __bool__(self) -> bool:
        return bool(self.tasks or self.descriptors)


def held(server: RunningServer, watcher: Session) -> Held:
    """Ask with a permanent session: a new one would be kept afterwards."""
    tasks = re.search(r"tasks=(.*)", watcher.shown("tasks=1"))
    assert tasks
    counts = (word.rpartition(":") for word in tasks[1].split(","))
    return Held(
        Counter({name: int(count) for name, _, count in counts}), descriptors_of(server.pid)
    )


def descriptors_of(pid: int) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds[re.sub(r":\[\d+\]$", "", str(link.readlink()))] += 1
        except FileNotFoundError:  # it has just been closed
            continue
    return kinds


def come_and_go_once(url: str) -> None:
    """Streamlit forgets the sessions whose time is over when another page goes."""
    with open_session(url) as session:
        session.rerun()


def wait_until(is_true: Callable[[], object], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.5)


def test_nothing_is_left_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """Memory stays on its plateau, no error is logged; no task and no descriptor stays behind.

    The plateau is low because the threads of all runs share a few heaps.
    """
    flags = ("--server.disconnectedSessionTTL", str(KEPT_S))
    with (
        stlaunch_app(APP, free_port(), *flags) as server,
        start_proxy("nginx", "recommended", server.port, keep_prefix=False) as proxy,
        open_session(server.url) as watcher,
    ):
        url = proxy.url_for("127.0.0.1")
        process = psutil.Process(server.pid)
        come_and_go_once(url)
        before = held(server, watcher)
        sizes: list[int] = []
        with Visitors(
            url, ways=ALL_WAYS, sessions=SESSIONS, at_once=AT_ONCE, pause_s=PAUSE_S
        ) as visitors:
            wait_until(
                lambda: visitors.gone.total() >= WARM_UP_SESSIONS or visitors.trouble,
                lambda: f"only {visitors.gone} came and went",
            )
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and not visitors.trouble:
                sizes.append(process.memory_info().rss)
                time.sleep(0.2)
        assert visitors.trouble == []

        def rest() -> Held:
            time.sleep(KEPT_S + 1)
            come_and_go_once(url)
            return held(server, watcher) - before

        wait_until(lambda: not rest(), lambda: f"left behind: {rest()}")
        heaps = re.search(r"heaps=(\d+)", watcher.shown("tasks=1"))
        log = server.log()

    fifth = len(sizes) // 5
    # The least at the end: for a while after the start, stlaunch compresses assets in between, and
    # what a compressor needs comes and goes.
    plateau, at_end = statistics.median(sizes[: 2 * fifth]), min(sizes[-fifth:])
    with capsys.disabled():
        sys.stdout.write(
            f"\nsoak: {visitors.gone.total()} visits, {dict(visitors.gone)};\n"
            f"memory {plateau / 1e6:.0f} MB on the plateau, "
            f"{at_end / 1e6:.0f} MB at the end of {SECONDS:.0f} s\n"
        )
    assert at_end <= plateau * MAX_GROWTH
    assert heaps
    assert int(heaps[1]) <= MAX_HEAPS
    # Of other sites' pages, which are refused, and of the tunnel, the log says so.
    assert set(visitors.gone) == {way.__name__ for way in ALL_WAYS}
    assert not re.search(r"Traceback|ERROR|WARNING(?!: STL(302|501))", log), log
