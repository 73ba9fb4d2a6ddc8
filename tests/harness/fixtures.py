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

from tests.harness.browser import Visit, new_page, start_chromium
from tests.harness.server import SHARED_CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture(scope="session")
def _chromium() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    with start_chromium() as browser:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)


@pytest.fixture
def chromium(_chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The session's Chromium.

    Playwright's sync API leaves its event loop marked as running in this thread, which would
    forbid `asyncio.run` to every later test. The mark is set only while a browser test runs.
    """
    browser, loop = _chromium
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """A fresh page with its own cookie jar."""
    with new_page(chromium) as visit:
        yield visit
