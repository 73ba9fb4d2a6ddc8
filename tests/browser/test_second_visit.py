"""A returning visitor requests the page, and nothing else."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import REPOSITORY
from tests.harness.browser import Visit
from tests.harness.site import BASE, start_app

pytestmark = [pytest.mark.browser]


APP = REPOSITORY / "tests" / "benchmarks" / "app" / "streamlit_app.py"
"""It shows nothing that it would have to serve itself, such as a picture or a component."""


@pytest.mark.parametrize("behind", [BASE, ""], ids=["path known", "path not known"])
def test_only_the_page_is_asked_for_again(visit: Visit, behind: str) -> None:
    """Not the page script either, by which an app learns where it is."""
    with start_app(app=APP, behind=behind) as server:
        url = f"http://127.0.0.1:{server.port}{behind}/"
        _open(visit, url)

        assert _asked_again(visit, url) == [f"{behind}/"]
        assert visit.errors() == []


def _asked_again(visit: Visit, url: str) -> list[str]:
    """Open the page in another tab; return the paths that its server was asked for once more."""
    again = Visit(page=visit.context.new_page(), context=visit.context)
    asked: dict[str, str] = {}
    cached: set[str] = set()
    ended: set[str] = set()

    def on_request(event: dict[str, Any]) -> None:
        asked.setdefault(event["requestId"], urlsplit(event["request"]["url"]).path)

    def on_response(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            cached.add(event["requestId"])

    network = visit.context.new_cdp_session(again.page)
    network.on("Network.requestWillBeSent", on_request)
    network.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    network.on("Network.responseReceived", on_response)
    for end in ("Finished", "Failed"):
        network.on(f"Network.loading{end}", lambda event: ended.add(event["requestId"]))
    network.send("Network.enable")
    _open(again, url)
    again.wait_until(lambda: asked.keys() <= ended)
    assert len(cached) > 10  # or nothing was seen
    first = {urlsplit(address).path for address in visit.requests}
    return [path for number, path in asked.items() if number not in cached and path in first]


def _open(visit: Visit, url: str) -> None:
    """Open the page and wait until all of it is shown, with the scripts of its elements."""
    visit.page.goto(url)
    shown = visit.page.get_by_role("slider")
    waiting = visit.page.get_by_test_id("stSkeleton")
    visit.wait_until(lambda: shown.count() and not waiting.count())
