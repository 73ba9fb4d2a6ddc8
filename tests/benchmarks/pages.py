"""What a user in front of Chromium waits for: a cold page load, and the result of a click."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.benchmarks.servers import APP, OURS, PATH, app_url, interleave, start_trio
from tests.benchmarks.slow_link import slow_link
from tests.benchmarks.table import Measured, Samples
from tests.harness.browser import new_page, start_chromium
from tests.harness.ports import free_port
from tests.harness.proxies import HTTP_1_0, start_proxy
from tests.harness.server import stlaunch_app
from tests.harness.tls import Tls, make_tls

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("page", "page-nginx")
SLOW_NAMES = ("page-slow", "page-slow-tls")
CLICK_NAMES = ("click", "click-nginx")
CLICKS = 15


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
    """Each load has an empty cache; directly, and through nginx."""
    try:
        with _started() as (browser, direct, behind):
            return {
                name: _loads(pairs, browser, urls)
                for name, urls in zip(NAMES, (direct, behind), strict=True)
            }
    except pytest.fail.Exception as exc:
        return dict.fromkeys(NAMES, str(exc))


def measure_slow_page(pairs: int) -> Measured:
    """The same over a slow link: directly with HTTP/1.1, and through nginx with HTTP/2 and TLS."""
    with ExitStack() as stack:
        tls = make_tls(Path(stack.enter_context(TemporaryDirectory())))
        try:
            browser, *ways = stack.enter_context(_started(tls))
        except pytest.fail.Exception as exc:
            return dict.fromkeys(SLOW_NAMES, str(exc))
        _visit_once(browser, ways[0]["ours"])
        return {
            name: _loads(pairs, browser, {kind: _slowed(stack, url) for kind, url in urls.items()})
            for name, urls in zip(SLOW_NAMES, ways, strict=True)
        }


def measure_slow_fallback(pairs: int) -> Measured:
    """One app over a slow link, through an nginx that drops the upgrade and two that hand it on."""
    names = ("page-slow-fallback", "click-slow-fallback")
    try:
        with stlaunch_app(APP, free_port(), *OURS) as server, ExitStack() as stack:
            browser = stack.enter_context(start_chromium())
            urls = {}
            for kind, binary in (("bare", "nginx"), ("ours", HTTP_1_0), ("again", "nginx")):
                proxy = start_proxy(
                    binary, "recommended", server.port, keep_prefix=True, base_path=PATH
                )
                url = stack.enter_context(proxy).url_for("127.0.0.1")
                urls[kind] = _slowed(stack, url)
            loads = _loads(pairs, browser, urls)
            return dict(zip(names, (loads, _clicks(pairs, browser, urls)), strict=True))
    except pytest.fail.Exception as exc:
        return dict.fromkeys(names, str(exc))


def measure_click(pairs: int) -> Measured:
    """The median of several clicks on a page that stays open."""
    try:
        with _started() as (browser, direct, behind):
            return {
                name: _clicks(pairs, browser, urls)
                for name, urls in zip(CLICK_NAMES, (direct, behind), strict=True)
            }
    except pytest.fail.Exception as exc:
        return dict.fromkeys(CLICK_NAMES, str(exc))


@contextmanager
def _started(tls: Tls | None = None) -> Iterator[tuple[Browser, dict[str, str], dict[str, str]]]:
    """Run all; yield the browser, and the addresses by kind: direct and through nginx."""
    with start_trio() as trio, start_chromium() as browser, ExitStack() as stack:
        direct = {kind: app_url(server) for kind, server in trio.in_turn.items()}
        behind = {
            kind: stack.enter_context(
                start_proxy(
                    "nginx",
                    "recommended",
                    server.port,
                    keep_prefix=True,
                    base_path=PATH,
                    tls=tls,
                )
            ).url_for("127.0.0.1")
            for kind, server in trio.in_turn.items()
        }
        yield browser, direct, behind


def _visit_once(browser: Browser, url: str) -> None:
    """Be an earlier visitor, who stays until the page has reported which scripts it used."""
    with new_page(browser) as visit:
        visit.page.goto(url)
        visit.wait_until(lambda: visit.asked("&used="))


def _clicks(pairs: int, browser: Browser, urls: Mapping[str, str]) -> Samples:
    with ExitStack() as stack:
        turns = {}
        for kind, url in urls.items():
            page = stack.enter_context(new_page(browser)).page
            page.goto(url)
            page.get_by_role("button", name="Count").wait_for()
            turns[kind] = partial(_click, page, itertools.count(1))
        return Samples(**interleave(pairs, turns), scale="ms")


def _click(page: Page, numbers: Iterator[int]) -> float:
    return statistics.median(
        page.evaluate(_CLICK, f"Counted {next(numbers)}") for _ in range(CLICKS)
    )


def _slowed(stack: ExitStack, url: str) -> str:
    parts = urlsplit(url)
    port = stack.enter_context(slow_link(parts.port or 0))
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()


def _loads(pairs: int, browser: Browser, urls: Mapping[str, str]) -> Samples:
    turns = {kind: partial(_load, browser, url) for kind, url in urls.items()}
    return Samples(**interleave(pairs, turns))


def _load(browser: Browser, url: str) -> float:
    with new_page(browser) as visit:
        started = time.perf_counter()
        visit.page.goto(url, wait_until="commit")
        visit.page.get_by_role("heading", name="Hello", exact=True).wait_for()
        return time.perf_counter() - started
