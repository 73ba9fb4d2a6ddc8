"""What somebody in front of Chromium waits for: a cold page load, and what a click shows."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.servers import PATH, app_url, interleave, start_trio
from tests.benchmarks.table import Measured, Samples
from tests.harness.browser import new_page, start_chromium
from tests.harness.proxies import start_proxy

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("page", "page-nginx", "page-slow")
CLICK_NAMES = ("click", "click-nginx")
CLICKS = 15
SLOW = {
    "offline": False,
    "latency": 60,
    "downloadThroughput": 20_000_000 / 8,
    "uploadThroughput": 20_000_000 / 8,
}


# From the click to the paint after its text is there.
_CLICK = """
async (wanted) => {
  const button = [...document.querySelectorAll("button")].find((it) => it.innerText === "Count");
  const started = performance.now();
  button.click();
  while (!document.body.innerText.includes(wanted)) await new Promise(requestAnimationFrame);
  return performance.now() - started;
}
"""


def measure_page(pairs: int) -> Measured:
    """Each load has an empty cache; directly, through nginx, and over a slow link."""
    try:
        with _started() as (browser, direct, behind):
            found: dict[str, Samples | str] = {}
            for name, urls in zip(NAMES, (direct, behind, direct), strict=True):
                is_slow = name == "page-slow"
                turns = {kind: partial(_load, browser, url, is_slow) for kind, url in urls.items()}
                found[name] = Samples(**interleave(pairs, turns))
            return found
    except pytest.fail.Exception as exc:
        return dict.fromkeys(NAMES, str(exc))


def measure_click(pairs: int) -> Measured:
    """The median of several clicks on a page that stays open."""
    try:
        with _started() as (browser, direct, behind), ExitStack() as stack:
            found: dict[str, Samples | str] = {}
            for name, urls in zip(CLICK_NAMES, (direct, behind), strict=True):
                turns = {}
                for kind, url in urls.items():
                    page = stack.enter_context(new_page(browser)).page
                    page.goto(url)
                    page.get_by_role("button", name="Count").wait_for()
                    turns[kind] = partial(_click, page, itertools.count(1))
                found[name] = Samples(**interleave(pairs, turns), scale="ms")
            return found
    except pytest.fail.Exception as exc:
        return dict.fromkeys(CLICK_NAMES, str(exc))


@contextmanager
def _started() -> Iterator[tuple[Browser, dict[str, str], dict[str, str]]]:
    """Run all; yield the browser, and the addresses by kind: direct and through nginx."""
    with start_trio() as trio, start_chromium() as browser, ExitStack() as stack:
        direct = {kind: app_url(server) for kind, server in trio.in_turn.items()}
        behind = {
            kind: stack.enter_context(
                start_proxy("nginx", "recommended", server.port, keep_prefix=True, base_path=PATH)
            ).url_for("127.0.0.1")
            for kind, server in trio.in_turn.items()
        }
        yield browser, direct, behind


def _click(page: Page, numbers: Iterator[int]) -> float:
    return statistics.median(
        page.evaluate(_CLICK, f"Counted {next(numbers)}") for _ in range(CLICKS)
    )


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
