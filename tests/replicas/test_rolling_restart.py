"""A rolling restart of three replicas, seen by 30 real protocol sessions: nothing started is lost.

Session state in memory is Streamlit's, and goes with its process: that is not promised.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.harness.generated import generated_site, start_generated
from tests.harness.pages import open_pages, total
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, stlaunch_app
from tests.replicas.test_replicas import APP, DEADLINE_S, instances, replicas, wait_until

pytestmark = [pytest.mark.proxy, pytest.mark.timeout(600)]

REPLICAS = 3
PAGES = 30


@contextmanager
def behind(name: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run three replicas behind a proxy as `stlaunch proxy --replicas` configures it.

    Yield the address, and what restarts them in place.
    """
    with ExitStack() as stack:
        ports = [free_port() for _ in range(REPLICAS)]
        apps = [stack.enter_context(stlaunch_app(APP, port)) for port in ports]
        site = generated_site(name, ports, keep_prefix=True, is_https=False, base_path="/")
        proxy = stack.enter_context(start_generated(name, site, None))

        def restart() -> None:
            for app in apps:
                app.restart()

        yield proxy.url_for("127.0.0.1"), restart


@contextmanager
def supervised() -> Iterator[tuple[str, Callable[[], None]]]:
    """Run `stlaunch replicas`; yield the address, and what rolls its instances."""
    with replicas(REPLICAS) as server:

        def roll() -> None:
            before = instances(server)
            os.kill(server.pid, signal.SIGHUP)
            wait_until(lambda: is_rolled(server, before), "all instances are new")

        yield server.url, roll


def is_rolled(server: RunningServer, before: set[int]) -> bool:
    now = instances(server)
    return not before & now and len(now) == REPLICAS


@pytest.mark.parametrize("kind", ["haproxy", "nginx", "replicas"])
def test_no_run_that_started_is_lost(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """30 pages run their script all the time while each replica is exchanged once."""
    setup = supervised() if kind == "replicas" else behind(kind)
    with setup as (url, restart), open_pages(url, PAGES, "wait=0.7") as pages:
        wait_until(lambda: all(page.counts.finished for page in pages), "every page has run")
        restart()
        before = [page.counts.finished for page in pages]
        deadline = time.monotonic() + DEADLINE_S
        for page, finished in zip(pages, before, strict=True):
            while page.counts.finished < finished + 2:
                assert time.monotonic() < deadline, f"a page runs no more: {page.trouble}"
                time.sleep(0.1)
    counts = total(pages)
    with capsys.disabled():
        sys.stdout.write(f"\nrolling restart, {kind}: {counts}\n")

    assert counts.lost == []
    assert sum(counts.codes.values()) >= PAGES  # each page was cut off at least once
    assert set(counts.codes) == {1012}
