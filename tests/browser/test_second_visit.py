"""Whoever comes again asks for the page, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import open_first_page
from tests.harness.server import RunningServer
from tests.harness.site import BASE, start_app

pytestmark = [pytest.mark.browser]


@pytest.fixture(scope="module")
def unknowing() -> Iterator[RunningServer]:
    """An app that has not been given its path."""
    with start_app(behind="") as server:
        yield server


def test_only_the_page_is_asked_for_again(visit: Visit, server: RunningServer) -> None:
    url = f"http://127.0.0.1:{server.port}{BASE}/"
    open_first_page(visit, url)

    assert _asked_by_a_second_visit(visit, url) == [f"{BASE}/"]
    assert visit.errors() == []


def test_neither_is_more_where_the_path_is_not_known(
    visit: Visit, unknowing: RunningServer
) -> None:
    """The page script is no exception, by which the app learns where it is."""
    url = f"http://127.0.0.1:{unknowing.port}/"
    open_first_page(visit, url)

    assert _asked_by_a_second_visit(visit, url) == ["/"]


def _asked_by_a_second_visit(visit: Visit, url: str) -> list[str]:
    """Open the page in a tab of its own; return the paths that did not come out of the cache."""
    visit.page.wait_for_load_state("networkidle")
    again = Visit(page=visit.context.new_page(), context=visit.context)
    asked: dict[str, str] = {}
    cached: set[str] = set()

    def on_request(event: dict[str, Any]) -> None:
        asked.setdefault(event["requestId"], urlsplit(event["request"]["url"]).path)

    def on_response(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            cached.add(event["requestId"])

    network = visit.context.new_cdp_session(again.page)
    network.on("Network.requestWillBeSent", on_request)
    network.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    network.on("Network.responseReceived", on_response)
    network.send("Network.enable")
    open_first_page(again, url)
    again.page.wait_for_load_state("networkidle")
    assert len(cached) > 10  # or nothing was seen
    return [path for number, path in asked.items() if number not in cached]
