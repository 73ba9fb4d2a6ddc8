"""Fixtures around the browser.

Owns how long the run, a browser and a page live. It must not know what an app looks like.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.harness.browser import Browsers, Visit, new_page, start_browsers
from tests.harness.server import SHARED_CACHE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from playwright.sync_api import Browser


def pytest_configure(config: pytest.Config) -> None:
    """Let a SIGTERM tear the fixtures down as ^C does, so that no server outlives the run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # the workers of xdist inherit it
        cache = tempfile.TemporaryDirectory(
            prefix="stlaunch-test-cache-", ignore_cleanup_errors=True
        )
        config.add_cleanup(cache.cleanup)
        os.environ[SHARED_CACHE] = cache.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what its page shows: the failure may not come again."""
    report = yield
    visit = getattr(item, "funcargs", {}).get("visit")
    if report.when == "call" and report.failed and isinstance(visit, Visit):
        report.sections.append(("the page", _shown(visit)))
    return report


def _shown(visit: Visit) -> str:
    try:
        return visit.report()
    except Exception as exc:  # noqa: BLE001 - whatever it is, the test's own error is shown too
        return f"It does not answer: {exc}"


@pytest.fixture(scope="session")
def _browsers() -> Iterator[tuple[Browsers, asyncio.AbstractEventLoop]]:
    with start_browsers() as browsers:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browsers, loop
        asyncio._set_running_loop(loop)


@pytest.fixture
def chromium(
    request: pytest.FixtureRequest, _browsers: tuple[Browsers, asyncio.AbstractEventLoop]
) -> Iterator[Browser]:
    """The session's Chromium: the quick one, or the whole one for tests that are marked so.

    Playwright's sync API leaves its event loop marked as running in this thread, which would
    forbid `asyncio.run` to every later test. The mark is set only while a browser test runs.
    """
    browsers, loop = _browsers
    asyncio._set_running_loop(loop)
    is_whole = request.node.get_closest_marker("whole_chromium") is not None
    yield browsers.whole() if is_whole else browsers.quick()
    asyncio._set_running_loop(None)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """A fresh page with its own cookie jar."""
    with new_page(chromium) as visit:
        yield visit
