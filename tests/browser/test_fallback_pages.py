"""A page's whole life over the HTTP transport: reconnecting, leaving, coming back, replicas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Visit
from tests.harness.journeys import (
    RECONNECT_TIMEOUT_MS,
    count_to,
    open_first_page,
    smoke,
)
from tests.harness.middleman import Behaviour, Middleman, start_middleman
from tests.harness.proxies import STRICT_CSP, start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import BASE, read_report, start_app, url_through

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

_TUNNEL = re.compile(r"/_stlaunch/tunnel/[^?]+")


@pytest.fixture(scope="module")
def hop(server: RunningServer) -> Iterator[Middleman]:
    with start_middleman(server.port, Behaviour(handshake="403")) as hop:
        yield hop


class Tunnels:
    """The tunnels of a page, as its requests show them."""

    def __init__(self, visit: Visit) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        visit.page.on("request", self._note)

    def _note(self, request: Any) -> None:
        found = _TUNNEL.search(request.url)
        if found is None:
            return
        if found[0] not in self.opened:
            self.opened.append(found[0])
        if request.url.endswith("?mode=end"):
            self.closed.append(found[0])


def test_a_hanging_handshake_is_tried_once_a_page(visit: Visit, server: RunningServer) -> None:
    """Its end is remembered: the page reconnects at once, to the session that it had."""
    tunnels = Tunnels(visit)
    with start_middleman(server.port, Behaviour(handshake="hang")) as hop:
        open_first_page(visit, url_through(hop))
        count_to(visit, 1)
        _end(visit, tunnels.opened[-1])
        visit.wait_until(lambda: len(tunnels.opened) == 2)
        count_to(visit, 2)

    assert len(visit.sockets) == 1


def test_a_refused_handshake_is_tried_again_by_each_connection(
    visit: Visit, hop: Middleman
) -> None:
    """A proxy may have been fixed meanwhile; and one refusal is one attempt."""
    tunnels = Tunnels(visit)
    open_first_page(visit, url_through(hop))
    count_to(visit, 1)
    at_first = len(visit.sockets)
    _end(visit, tunnels.opened[-1])
    visit.wait_until(lambda: len(tunnels.opened) == 2)
    count_to(visit, 2)

    assert (at_first, len(visit.sockets)) == (1, 2)


def test_a_page_that_is_left_closes_its_tunnel(visit: Visit, hop: Middleman) -> None:
    """The session ends with the page, not when the server gives up waiting."""
    tunnels = Tunnels(visit)
    open_first_page(visit, url_through(hop))
    visit.page.goto("about:blank")

    # Playwright tells nothing of requests that outlive their page; the hop sees them.
    end = f"{tunnels.opened[0]}?mode=end"
    visit.wait_until(lambda: f"POST {BASE}{end}" in hop.behaviour.asked)


def test_a_page_from_the_back_forward_cache_goes_on(visit: Visit, hop: Middleman) -> None:
    """It has lost its tunnel and says so: Streamlit resumes the session."""
    tunnels = Tunnels(visit)
    open_first_page(visit, url_through(hop))
    count_to(visit, 1)
    for name in ("pagehide", "pageshow"):
        visit.page.evaluate(
            "name => window.dispatchEvent(new PageTransitionEvent(name, {persisted: true}))", name
        )
    visit.wait_until(lambda: len(tunnels.opened) == 2)
    count_to(visit, 2)

    assert tunnels.closed == tunnels.opened[:1]


def test_the_log_says_it_once_and_the_self_check_counts(
    visit: Visit, server: RunningServer, hop: Middleman
) -> None:
    """However many pages fall back for the same cause."""
    before = _by_transport(hop).get("http", 0)
    for _ in range(2):
        open_first_page(visit, url_through(hop))
    after = _by_transport(hop)["http"]

    assert after == before + 2
    assert server.log().count("STL302 A page fell back to HTTP: its WebSocket does not open") == 1
    assert visit.page.get_by_role("alert").count() == 0


def test_replicas_without_affinity_are_named(visit: Visit) -> None:
    """Each answers for the other's tunnels; after three the page says what is missing."""
    with (
        start_app() as one,
        start_app() as two,
        start_middleman(one.port, Behaviour(handshake="403"), two.port) as hop,
    ):
        visit.page.goto(url_through(hop))
        notice = visit.page.get_by_role("alert").filter(has_text="STL702")
        expect(notice).to_be_visible(timeout=RECONNECT_TIMEOUT_MS)
        text = notice.inner_text()

    assert "session affinity" in text
    refused = [line for line in visit.failed_requests if line.endswith(": 409")]
    assert len(refused) >= 3


def test_a_page_that_nothing_connects_says_so(visit: Visit, hop: Middleman) -> None:
    """Neither transport gets through; the message goes when one does."""
    visit.page.route("**/stlaunch/tunnel", lambda route: route.abort())
    visit.page.route("**/_stlaunch/tunnel", lambda route: route.abort())
    visit.page.goto(url_through(hop))
    notice = visit.page.get_by_role("alert").filter(has_text="STL303")
    notice.wait_for()
    visit.page.unroute_all()
    expect(visit.page.get_by_role("heading", name="Hello from Streamlit")).to_be_visible(
        timeout=RECONNECT_TIMEOUT_MS
    )
    notice.wait_for(state="detached")


@pytest.mark.parametrize("setup", ["blog", "three-lines"])
def test_a_strict_content_security_policy_is_no_obstacle(
    visit: Visit, server: RunningServer, setup: str
) -> None:
    """`script-src 'self'`: the page script is a file of the app's own."""
    tunnels = Tunnels(visit)
    with start_proxy(STRICT_CSP, setup, server.port, keep_prefix=False) as proxy:
        answer = visit.page.goto(proxy.url)
        smoke(visit, proxy.url)

    assert answer is not None
    assert answer.header_value("content-security-policy") == "script-src 'self'"
    assert bool(tunnels.opened) == (setup == "blog")
    refused = [line for line in visit.console if "Content Security Policy" in line]
    assert not [line for line in refused if "page.js" in line or "stlaunch" in line]


def _end(visit: Visit, tunnel: str) -> None:
    """End a tunnel behind its page's back; the page learns it with its next request."""
    visit.page.evaluate(
        "async path => fetch(path, {method: 'POST', headers: {'X-Stlaunch': '1'}})",
        f"{BASE}{tunnel}?mode=end",
    )


def _by_transport(hop: Middleman) -> dict[str, int]:
    counts: dict[str, int] = read_report(f"http://127.0.0.1:{hop.port}{BASE}/")["handshakes"][
        "by_transport"
    ]
    return counts
