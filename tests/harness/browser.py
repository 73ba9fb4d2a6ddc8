"""A real Chromium, and what happened in each of its pages.

Owns starting the browser and recording trouble. It must not know what an app looks like.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Page,
        Playwright,
        Request,
        Response,
    )

WHOLE = Path("/usr/bin/chromium")
SHELL = Path("/usr/bin/chromium-headless-shell")
"""Debian's build of the same Chromium without windows: a page costs half the processor time."""
# Of one step: a first chart takes 5 s, and 13 s where three other tests use the processors.
TIMEOUT_MS = 60_000
NAMES = ("*.example.test", "example.test", "other.test")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules={', '.join(f'MAP {name} 127.0.0.1' for name in NAMES)}",
    # Chromium's own defence against pages that reach for loopback would hide what the server does.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
)


@dataclass(kw_only=True, slots=True)
class Visit:
    """A page and all that went wrong in it."""

    page: Page
    context: BrowserContext
    console: list[str] = field(default_factory=list)
    """Errors and warnings in the console, with where they came from."""
    failed_requests: list[str] = field(default_factory=list)
    """Requests without an answer, or with a status of 400 and above."""
    page_errors: list[str] = field(default_factory=list)
    """Exceptions that no script caught."""
    requests: list[str] = field(default_factory=list)
    """The address of every request of the first page."""
    sockets: list[str] = field(default_factory=list)
    """The address of every WebSocket that it tried."""

    def asked(self, part: str) -> list[str]:
        """Return the requests whose address holds `part`."""
        return [url for url in self.requests if part in url]

    def errors(self) -> list[str]:
        """Return everything red: console errors, uncaught exceptions, failed requests."""
        red = [line for line in self.console if line.startswith("error: ")]
        return [*red, *self.page_errors, *self.failed_requests]

    def forget(self) -> None:
        """Drop what was recorded so far."""
        self.console.clear()
        self.failed_requests.clear()
        self.page_errors.clear()

    def wait_until(self, is_so: Callable[[], object]) -> None:
        """Let the page run until a condition holds.

        Raises:
            AssertionError: If it is not within a minute, with what the page shows.
        """
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline, self.report()
            self.page.wait_for_timeout(50)

    def report(self) -> str:
        """Say for a failed assertion where the page is, what it shows and what went wrong."""
        shown = self.page.locator("body").inner_text(timeout=5_000)
        recorded = [*self.console, *self.page_errors, *self.failed_requests]
        where = f"at {self.page.url}, after {len(self.sockets)} WebSockets"
        return "\n".join([where, "shown:", shown, "recorded:", *recorded])


class Browsers:
    """The Chromiums of a run, each started when it is first asked for.

    The environment variable CHROMIUM names another executable for both.
    """

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._started: dict[Path, Browser] = {}

    def whole(self) -> Browser:
        """Return the Chromium that users have."""
        return self._get(WHOLE)

    def quick(self) -> Browser:
        """Return the one without windows, where it is installed."""
        return self._get(SHELL if SHELL.is_file() else WHOLE)

    def close(self) -> None:
        """End them."""
        for browser in self._started.values():
            browser.close()

    def _get(self, executable: Path) -> Browser:
        executable = Path(os.environ.get("CHROMIUM", executable))
        if not executable.is_file():
            pytest.fail(f"{executable} is missing: install Chromium, or name it in CHROMIUM")
        if executable not in self._started:
            self._started[executable] = self._playwright.chromium.launch(
                executable_path=executable, args=list(FLAGS)
            )
        return self._started[executable]


@contextmanager
def start_browsers() -> Iterator[Browsers]:
    """Run Chromium until the block ends; it resolves `*.example.test` to loopback.

    Without Playwright or Chromium the test fails; it never skips, or a green run would mean
    nothing.
    """
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError as exc:
        pytest.fail(f"Playwright is missing ({exc}): install the development dependencies")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browsers = Browsers(playwright)
        try:
            yield browsers
        finally:
            browsers.close()


@contextmanager
def start_chromium() -> Iterator[Browser]:
    """Run the Chromium that users have until the block ends."""
    with start_browsers() as browsers:
        yield browsers.whole()


@contextmanager
def new_page(browser: Browser, *, ignore_https_errors: bool = True) -> Iterator[Visit]:
    """Open a page with its own empty cookie jar and record its trouble until the block ends."""
    context = browser.new_context(ignore_https_errors=ignore_https_errors, accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    try:
        visit = Visit(page=context.new_page(), context=context)
        _record(visit)
        yield visit
    finally:
        context.close()


def _record(visit: Visit) -> None:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visit.console.append(f"{message.type}: {message.text} [{message.location['url']}]")

    def on_failed(request: Request) -> None:
        # Chromium's word for what it cancelled itself: a page left while a font was loading, a
        # download. A connection that the other side cut has other names.
        if request.failure != "net::ERR_ABORTED":
            visit.failed_requests.append(f"{request.method} {request.url}: {request.failure}")

    def on_response(response: Response) -> None:
        if response.status >= 400:
            request = response.request
            visit.failed_requests.append(f"{request.method} {request.url}: {response.status}")

    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("websocket", lambda socket: visit.sockets.append(socket.url))
    visit.page.on("console", on_console)
    visit.page.on("requestfailed", on_failed)
    visit.page.on("response", on_response)
    visit.page.on("pageerror", lambda error: visit.page_errors.append(f"uncaught: {error}"))
