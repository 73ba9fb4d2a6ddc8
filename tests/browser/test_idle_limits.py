"""A proxy that cuts idle sockets costs a page a few of them, and then none, in Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser

from tests.harness.browser import Visit, new_page
from tests.harness.journeys import count_to, open_first_page
from tests.harness.proxies import start_proxy
from tests.harness.site import start_app

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

LIMIT_S = 4
SOCKETS = 2
GATEWAY_TIMEOUT = 504


def _envoy(config: str) -> str:
    line = "                stat_prefix: web\n"
    assert line in config
    return config.replace(line, f"{line}                stream_idle_timeout: {LIMIT_S}s\n")


def _haproxy(config: str) -> str:
    """`timeout client` holds for a WebSocket where there is no `timeout tunnel`."""
    assert "    timeout client 1m\n" in config
    config = re.sub(r"    timeout tunnel .*\n", "", config)
    return config.replace("timeout client 1m", f"timeout client {LIMIT_S}s")


def _nginx(config: str) -> str:
    lines = re.findall(r" +proxy_pass .*\n", config)
    assert lines
    return config.replace(lines[0], f"{lines[0]}            proxy_read_timeout {LIMIT_S}s;\n")


CUTTING: list[tuple[str, str, Callable[[str], str]]] = [
    ("envoy", "recommended", _envoy),
    ("haproxy", "recommended", _haproxy),
    ("nginx", "blog", _nginx),
    ("envoy", "blog", _envoy),
]
"""The last two let no WebSocket through."""


@dataclass(slots=True)
class Watched:
    """A page, and when it lost a connection."""

    visit: Visit
    lost_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        page = self.visit.page
        page.on("websocket", lambda socket: socket.on("close", lambda _: self._note()))
        page.on(
            "requestfailed", lambda request: self._note(is_lost="ABORTED" not in request.failure)
        )
        page.on("response", lambda answer: self._note(is_lost=answer.status == GATEWAY_TIMEOUT))

    def _note(self, *, is_lost: bool = True) -> None:
        if is_lost:
            self.lost_at = time.monotonic()

    @property
    def is_kept(self) -> bool:
        """Whether it has lost none for several times the limit."""
        return time.monotonic() - self.lost_at > 2 * LIMIT_S


def test_a_quiet_page_stays_connected(chromium: Browser) -> None:
    """After a few losses it loses no more, over the WebSocket and over plain requests alike.

    A user's own interval stays as it is: there the finding alone says what to change.
    """
    with ExitStack() as stack:
        server = stack.enter_context(start_app())
        own = stack.enter_context(start_app("--server.websocketPingInterval", "20"))
        proxy = stack.enter_context(
            start_proxy("envoy", "recommended", own.port, keep_prefix=False, edit=_envoy)
        )
        own_page = Watched(stack.enter_context(new_page(chromium)))
        open_first_page(own_page.visit, proxy.url)
        pages = []
        for kind, setup, edit in CUTTING:
            proxy = stack.enter_context(
                start_proxy(kind, setup, server.port, keep_prefix=False, edit=edit)
            )
            page = Watched(stack.enter_context(new_page(chromium)))
            open_first_page(page.visit, proxy.url)
            pages.append(page)
        wait_until = pages[0].visit.wait_until
        wait_until(lambda: server.log().count("stlaunch now pings every 1 s") >= SOCKETS)
        wait_until(lambda: "uses each of them every 1 s" in server.log())
        wait_until(lambda: all(page.is_kept for page in pages))
        log = server.log()
        for page in pages:
            count_to(page.visit, 1)
        wait_until(lambda: "STL604 Connections die" in own.log())
        lost = len(own_page.visit.sockets)
        wait_until(lambda: len(own_page.visit.sockets) > lost)  # it goes on as the user wants it
        own_log = own.log()

    assert log.count("STL604 Connections die") == SOCKETS, log
    assert "stlaunch now pings" not in own_log
