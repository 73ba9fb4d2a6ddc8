"""Visitors of two replicas that are replaced again and again; two of them sit at a real browser.

CI runs it in a short form; `STLAUNCH_SOAK_S=600` makes it ten minutes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import expect

from tests.harness.browser import Visit, new_page, start_chromium
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer
from tests.replicas.test_replicas import instances, replicas, wait_until
from tests.soak.test_soak import APP, AT_ONCE, DEADLINE_S, PAUSE_S, SECONDS
from tests.soak.visitors import Visitors
from tests.soak.ways import from_elsewhere, through_restarts

ROLL_EVERY_S = min(40.0, SECONDS / 4)
MAX_GROWTH = 1.1

pytestmark = [
    pytest.mark.slow,
    pytest.mark.proxy,
    pytest.mark.browser,
    pytest.mark.timeout(SECONDS + 3 * DEADLINE_S),
]


def held_mb(server: RunningServer) -> float:
    """What all processes of the supervisor hold; what they share counts once."""
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    held = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has gone meanwhile holds nothing
            held += process.memory_full_info().pss
    return held / 1e6


def roll(server: RunningServer) -> None:
    before = instances(server)
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: not before & instances(server), "all were replaced")
    assert len(instances(server)) == len(before)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with replicas(2, app=APP) as server:
        yield server


def test_nobody_is_lost_and_nothing_grows(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pages go on by themselves, without an error in console or log; the memory stays."""
    sizes: list[float] = []
    with (
        start_proxy("nginx", "blog", server.port, keep_prefix=False) as no_upgrades,
        start_chromium() as browser,
        new_page(browser) as page,
        new_page(browser) as over_http,
    ):
        page.page.goto(server.url)
        over_http.page.goto(no_upgrades.url_for("127.0.0.1"))
        with Visitors(
            server.url,
            ways=(through_restarts, from_elsewhere),
            sessions=AT_ONCE,
            at_once=AT_ONCE,
            pause_s=PAUSE_S,
        ) as visitors:
            end, next_roll = time.monotonic() + SECONDS, 0.0
            while (time.monotonic() < end or len(sizes) < 2) and not visitors.trouble:
                for visit in (page, over_http):
                    use(visit)
                if time.monotonic() >= next_roll:
                    roll(server)
                    sizes.append(held_mb(server))
                    next_roll = time.monotonic() + ROLL_EVERY_S
        assert visitors.trouble == []
        for visit in (page, over_http):
            use(visit)
        # Of a handshake whose upgrade the proxy drops, Chromium itself says so.
        red = [*page.errors(), *(line for line in over_http.errors() if "code: 426" not in line)]
        log = server.log()

    with capsys.disabled():
        sys.stdout.write(
            f"\nrolling: {len(sizes)} restarts of two replicas, {dict(visitors.gone)};\n"
            f"memory {sizes[0]:.0f} MB after the first, {sizes[-1]:.0f} MB after the last\n"
        )
    assert over_http.asked("/_stlaunch/tunnel/")
    assert red == []
    assert "Traceback" not in log
    assert "ERROR" not in log
    assert sizes[-1] <= sizes[0] * MAX_GROWTH


def use(visit: Visit) -> None:
    """Move the slider: the script runs, in whichever replica is there."""
    slider = visit.page.get_by_role("slider")
    expect(slider).to_be_visible()
    slider.press("ArrowRight")
    expect(visit.page.get_by_text("runs=")).to_be_visible()
    expect(visit.page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )
