"""The stream's socket opens with the page, and is the one that Streamlit gets if it fits."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, WebSocket

from tests.harness.browser import Visit
from tests.harness.journeys import TITLE, sees_title
from tests.harness.server import RunningServer
from tests.harness.site import BASE

pytestmark = [pytest.mark.browser]

ENTRY = re.compile(r"/static/js/index\.[\w-]+\.js")


def _open_and_hold(
    visit: Visit, server: RunningServer
) -> tuple[list[WebSocket], Callable[[], None]]:
    """Open the page with its entry script held back; return its sockets, and what lets it go on."""
    held: list[Route] = []
    sockets: list[WebSocket] = []
    visit.page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 -- marked by it
    visit.page.route(ENTRY, lambda route: held.append(route))  # noqa: PLW0108
    visit.page.goto(f"http://127.0.0.1:{server.port}{BASE}/", wait_until="commit")
    visit.wait_until(lambda: sockets and held)

    def go_on() -> None:
        for route in held:
            route.continue_()

    return sockets, go_on


def test_it_is_there_before_the_scripts_and_adopted(visit: Visit, server: RunningServer) -> None:
    sockets, go_on = _open_and_hold(visit, server)
    go_on()
    sees_title(visit, TITLE, "the page uses the early socket")

    assert len(sockets) == 1
    assert not sockets[0].is_closed()
    assert visit.errors() == []


def test_it_is_replaced_where_streamlit_asks_for_another(
    visit: Visit, server: RunningServer
) -> None:
    """The cookie whose value is one of the subprotocols has changed in between."""
    sockets, go_on = _open_and_hold(visit, server)
    url = f"http://127.0.0.1:{server.port}{BASE}/"
    visit.context.add_cookies([{"name": "_streamlit_xsrf", "value": "other", "url": url}])
    go_on()
    sees_title(visit, TITLE, "the page opened a socket of its own")

    visit.wait_until(sockets[0].is_closed)
    assert len(sockets) == 2
    assert not sockets[1].is_closed()
