"""A cold page load in Chromium, to the first heading that the script shows."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.servers import PATH, app_url, interleave, start_trio
from tests.benchmarks.table import Measured, Samples
from tests.harness.browser import new_page, start_chromium
from tests.harness.proxies import start_proxy

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("page", "page-nginx", "page-slow")
SLOW = {
    "offline": False,
    "latency": 60,
    "downloadThroughput": 20_000_000 / 8,
    "uploadThroughput": 20_000_000 / 8,
}


def measure_page(pairs: int) -> Measured:
    """Each load has an empty cache; directly, through nginx, and over a slow link."""
    try:
        return _measure(pairs)
    except pytest.fail.Exception as exc:
        return dict.fromkeys(NAMES, str(exc))


def _measure(pairs: int) -> Measured:
    found: dict[str, Samples | str] = {}
    with start_trio() as trio, start_chromium() as browser, ExitStack() as stack:
        direct = {kind: app_url(server) for kind, server in trio.in_turn.items()}
        behind = {
            kind: stack.enter_context(
                start_proxy("nginx", "recommended", server.port, keep_prefix=True, base_path=PATH)
            ).url_for("127.0.0.1")
            for kind, server in trio.in_turn.items()
        }
        for name, urls, is_slow in zip(
            NAMES, (direct, behind, direct), (False, False, True), strict=True
        ):
            turns = {kind: partial(_load, browser, url, is_slow) for kind, url in urls.items()}
            found[name] = Samples(**interleave(pairs, turns))
    return found


def _load(browser: Browser, url: str, is_slow: bool) -> float:
    with new_page(browser) as visit:
        if is_slow:
            session = visit.context.new_cdp_session(visit.page)
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", SLOW)
        started = time.perf_counter()
        visit.page.goto(url, wait_until="commit")
        visit.page.get_by_role("heading", name="Hello", exact=True).wait_for()
        return time.perf_counter() - started
