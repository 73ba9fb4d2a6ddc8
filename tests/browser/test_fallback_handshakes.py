"""Whatever a hop does to the WebSocket handshake, the app renders and works, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.harness.browser import Visit
from tests.harness.journeys import SMALL_BYTES, count_to, open_first_page, upload
from tests.harness.middleman import Behaviour, start_middleman
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import BASE, start_app, url_through

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

# A page cannot tell one status from another: one of an app, one of a gateway.
HANDSHAKES = ["403", "502", "close", "hang", "no-subprotocol", "other-subprotocol"]
_NOTE_TIMES = """
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("close", () => (window.failedAt ??= performance.now()));
    }
  };
  new MutationObserver((_, observer) => {
    if (!document.querySelector("h1")) return;
    window.renderedAt = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
"""


@pytest.mark.parametrize("handshake", HANDSHAKES)
def test_the_app_works_whatever_becomes_of_the_handshake(
    visit: Visit,
    server: RunningServer,
    handshake: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Refused, closed at once, left hanging or robbed of its subprotocol: the page falls back."""
    visit.page.add_init_script(_NOTE_TIMES)
    with start_middleman(server.port, Behaviour(handshake=handshake)) as hop:
        open_first_page(visit, url_through(hop))
        took_ms = visit.page.evaluate("window.renderedAt - window.failedAt")
        count_to(visit, 1)
        upload(visit, SMALL_BYTES)

    # For the report (pytest -rA, JUnit): a bound on it would fail on a slow machine.
    record_property("from failure to title, ms", round(took_ms))
    assert visit.asked("/_stlaunch/tunnel/"), "a WebSocket got through"


def test_a_click_while_the_page_falls_back_counts_once(visit: Visit, server: RunningServer) -> None:
    """The proxy accepts the socket and closes it: until the tunnel is open, messages wait."""
    opening: list[Route] = []
    behaviour = Behaviour()
    with start_middleman(server.port, behaviour) as hop:
        open_first_page(visit, url_through(hop))
        count_to(visit, 1)
        visit.page.route("**/_stlaunch/tunnel", lambda route: opening.append(route))  # noqa: PLW0108
        behaviour.handshake = "close"
        hop.cut()
        while not opening:
            visit.page.wait_for_timeout(50)
        visit.page.get_by_role("button", name="Count", exact=True).click()
        opening[0].continue_()
        expect(visit.page.get_by_text("Clicked 2 times")).to_be_visible()
        count_to(visit, 3)


def test_one_slow_handshake_is_not_held_against_websockets_that_worked(visit: Visit) -> None:
    """A busy app takes longer than four seconds once; later connections are WebSockets again."""
    behaviour = Behaviour()
    with start_app() as server, start_middleman(server.port, behaviour) as hop:
        open_first_page(visit, url_through(hop))
        behaviour.handshake = "hang"
        hop.cut()
        while not visit.asked("/_stlaunch/tunnel/"):
            visit.page.wait_for_timeout(50)
        count_to(visit, 1)
        tried = len(visit.sockets)
        behaviour.handshake = "pass"
        server.restart()
        while len(visit.sockets) == tried:
            visit.page.wait_for_timeout(50)


@pytest.mark.parametrize(
    "dropped",
    [r"/_stlaunch/(token|tunnel|upload)", r"/_?stlaunch/(token|tunnel|upload)"],
    ids=["one place", "all"],
)
def test_requests_that_are_silently_dropped_are_not_waited_for(
    visit: Visit, server: RunningServer, dropped: str
) -> None:
    """The page tries the next place; if there is none, it says what is wrong instead of nothing."""
    visit.page.route(re.compile(dropped), lambda _route: None)
    with start_middleman(server.port, Behaviour(handshake="403")) as hop:
        visit.page.goto(url_through(hop))
        notice = visit.page.get_by_role("alert").filter(has_text="STL303")
        title = visit.page.get_by_role("heading", name="Hello from Streamlit")
        expect(title if dropped.startswith("/_stlaunch") else notice).to_be_visible(timeout=60_000)


def test_a_working_websocket_is_used(visit: Visit, server: RunningServer) -> None:
    """The fallback costs nothing but its script: no tunnel is opened."""
    with start_middleman(server.port, Behaviour()) as hop:
        open_first_page(visit, url_through(hop))
        count_to(visit, 1)

    assert not visit.asked("/_stlaunch/tunnel")


@pytest.mark.parametrize(
    ("transport", "is_socket"), [("http", False), ("websocket", True)], ids=["http", "websocket"]
)
def test_a_transport_can_be_chosen(visit: Visit, transport: str, *, is_socket: bool) -> None:
    """`http` never tries a WebSocket, `websocket` never opens a tunnel."""
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    flags = ["--transport", transport]
    with (
        start_app(*flags) as server,
        start_middleman(server.port, Behaviour()) as hop,
    ):
        open_first_page(visit, url_through(hop))
        count_to(visit, 1)

    assert bool(visit.sockets) == is_socket
    assert bool(visit.asked("/_stlaunch/tunnel")) != is_socket


def test_a_message_appears_when_nothing_connects_and_goes_by_itself(visit: Visit) -> None:
    """In place of an empty page: what failed, the code, and where to look."""
    flags = ["--transport", "websocket"]
    behaviour = Behaviour(handshake="403")
    with (
        start_app(*flags) as server,
        start_middleman(server.port, behaviour) as hop,
    ):
        visit.page.goto(url_through(hop))
        notice = visit.page.get_by_role("alert").filter(has_text="STL303")
        notice.wait_for()
        link = notice.get_by_role("link").get_attribute("href")
        behaviour.handshake = "pass"
        visit.page.get_by_role("heading", name="Hello from Streamlit").wait_for()
        notice.wait_for(state="detached")

    assert link == f"{BASE}/_stlaunch/"


@pytest.mark.parametrize("setup", ["blog", "three-lines"])
def test_a_large_upload_passes_a_small_body_limit(
    visit: Visit, server: RunningServer, setup: str
) -> None:
    """20 MB through nginx's 1 MB, over the fallback and with a healthy WebSocket."""
    with start_proxy("nginx", setup, server.port, keep_prefix=False) as proxy:
        open_first_page(visit, proxy.url)
        upload(visit, 20_000_000)
        log = server.wait_for_log("STL602")

    found = re.search(r"\((\d+) bytes pass, (\d+) do not\)", log)
    assert found is not None
    assert int(found[1]) <= 1024 * 1024 < int(found[2])


def test_an_upload_passes_a_hop_that_cuts_the_connection(
    visit: Visit, server: RunningServer
) -> None:
    """No 413, just a broken connection: a small request that passes shows why."""
    behaviour = Behaviour(largest_body=1_000_000, cuts_bodies=True)
    with start_middleman(server.port, behaviour) as hop:
        open_first_page(visit, url_through(hop))
        upload(visit, 3_000_000)


def test_eight_tabs_stay_live(visit: Visit, server: RunningServer) -> None:
    """HTTP/1.1 gives a host six connections: tabs share them, and an upload still works."""
    with start_proxy("nginx", "blog", server.port, keep_prefix=False) as proxy:
        open_first_page(visit, proxy.url)
        tabs = [visit.context.new_page() for _ in range(7)]
        for tab in tabs:
            tab.goto(proxy.url)
            tab.get_by_role("heading", name="Hello from Streamlit").wait_for()
        upload(visit, 20_000_000)
        for tab in tabs:
            tab.get_by_role("button", name="Count", exact=True).click()
            tab.get_by_text("Clicked 1 time").first.wait_for()
