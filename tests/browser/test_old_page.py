"""An upgrade in the middle of a working day: a page of the old version replaces itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Request, Route

from tests.harness.browser import Visit
from tests.harness.journeys import TITLE, chart_draws, open_first_page, sees_title
from tests.harness.server import RunningServer
from tests.harness.site import BASE

pytestmark = [pytest.mark.browser]

ENTRY = re.compile(r"index\.[\w-]+\.js")
OTHER_ENTRY = "index.0ther-1.js"


def _with_other_entry(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body=ENTRY.sub(OTHER_ENTRY, answer.text()))


def _documents(visit: Visit) -> list[str]:
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.is_navigation_request() and request.frame == visit.page.main_frame:
            asked.append(request.url)

    visit.page.on("request", note)
    return asked


def test_an_old_page_out_of_a_cache_is_replaced(visit: Visit, server: RunningServer) -> None:
    """Its entry script is gone: 404. The address, with its query, stays."""
    url = f"http://127.0.0.1:{server.port}{BASE}/second_page?x=1"
    asked = _documents(visit)
    visit.page.route(url, _with_other_entry, times=1)
    visit.page.goto(url)
    sees_title(visit, "Second page", "the page was replaced")

    assert asked == [url, url]
    assert visit.page.url == url


def test_an_open_tab_is_replaced_when_its_scripts_are_gone(
    visit: Visit, server: RunningServer
) -> None:
    """A chart's scripts are asked for late; the server has others by then."""
    url = f"http://127.0.0.1:{server.port}{BASE}/"
    asked = _documents(visit)
    open_first_page(visit, url)
    gone = re.compile(r"/static/js/(?!index\.).*\.js")
    visit.page.route(gone, lambda route: route.fulfill(status=404), times=1)
    visit.page.route(url, _with_other_entry, times=1)  # what the page itself asks for
    visit.page.get_by_text("Show the waves as a chart").click()
    visit.wait_until(lambda: len(asked) > 1)
    sees_title(visit, TITLE, "the page was replaced")
    chart_draws(visit)

    assert asked == [url, url]


@pytest.mark.parametrize("is_changed", [False, True], ids=["same version", "replicas disagree"])
def test_a_missing_script_makes_no_loop(
    visit: Visit, server: RunningServer, *, is_changed: bool
) -> None:
    """The same version's script failed, or each load is answered by an old replica: no storm."""
    url = f"http://127.0.0.1:{server.port}{BASE}/"
    asked = _documents(visit)
    entry = re.compile(rf"{BASE}/static/js/index\.[\w-]+\.js")
    visit.page.route(entry, lambda route: route.fulfill(status=404))
    fetched: list[str] = []

    def answer(route: Route) -> None:
        if route.request.is_navigation_request():
            route.continue_()
            return
        fetched.append(route.request.url)
        _with_other_entry(route) if is_changed else route.continue_()

    visit.page.route(url, answer)
    loads = 1 + is_changed
    visit.page.goto(url)
    visit.wait_until(lambda: len(fetched) == loads)
    visit.page.wait_for_load_state("networkidle")

    assert asked == [url] * loads
