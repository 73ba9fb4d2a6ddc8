"""A page's scripts are loaded ahead where earlier visitors' pages used them, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Request

from tests.harness.browser import Visit, new_page
from tests.harness.server import RunningServer
from tests.harness.site import BASE, start_app

pytestmark = [pytest.mark.browser]

SCRIPT = """
from pathlib import Path

import streamlit as st

if Path(__file__).with_name("changed").exists():
    st.date_input("When")
else:
    st.slider("How many")
st.text_input("Name")
"""
NAMED = """
() => [...document.querySelectorAll('link[rel="modulepreload"]:not([as])')].map((it) => it.href)
"""
"""The scripts in Streamlit's page itself."""
ADDED = """
() => [...document.querySelectorAll('link[rel="modulepreload"][as="script"]')].map((it) => it.href)
"""
"""Those that its elements made it add."""
HOLD_REPORT = """
  const later = window.setTimeout;
  window.held = [];
  window.setTimeout = (run, ms, ...rest) =>
    ms === 5000 ? window.held.push(run) : later(run, ms, ...rest);
"""
"""The page waits as long as that for its elements; the test sees when they are there."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    app = tmp_path / "app.py"
    app.write_text(SCRIPT, encoding="utf-8")
    with start_app(app=app) as server:
        yield server


def test_exactly_what_earlier_visitors_used_is_loaded_ahead(
    chromium: Browser, server: RunningServer, tmp_path: Path
) -> None:
    """A report follows where that changes; an app with other files starts anew."""
    first = _visit(chromium, server)
    assert first.ahead == set()
    assert first.reported == [first.used]
    assert any(name.startswith("Slider.") for name in first.used)

    second = _visit(chromium, server)
    assert second.ahead == second.used == first.used
    assert second.reported == []

    (tmp_path / "changed").touch()
    third = _visit(chromium, server)
    assert third.ahead == first.used
    assert third.reported == [third.used]
    assert not any(name.startswith("Slider.") for name in third.used)

    fourth = _visit(chromium, server)
    assert fourth.ahead == fourth.used == third.used
    assert fourth.reported == []

    (tmp_path / "app.py").write_text(SCRIPT + "st.button('Go')\n", encoding="utf-8")
    assert _visit(chromium, server).ahead == set()


class _Seen:
    """What a new visitor's page was told to preload, what it used, and what it reported."""

    def __init__(self, visit: Visit) -> None:
        page = visit.page
        named = page.locator("script[data-transport]").get_attribute("data-preload") or ""
        self.ahead = set(named.split())
        self.used = {_name(url) for url in page.evaluate(ADDED)}
        self.reported = [
            set(parse_qs(urlsplit(url).query)["used"][0].split()) for url in visit.asked("&used=")
        ]


def _visit(chromium: Browser, server: RunningServer) -> _Seen:
    asked: list[str] = []
    came_before: dict[str, set[str]] = {}
    came: set[str] = set()

    def on_request(request: Request) -> None:
        asked.append(_name(request.url))
        came_before.setdefault(_name(request.url), set(came))

    url = f"http://127.0.0.1:{server.port}{BASE}/"
    with new_page(chromium) as visit:
        visit.page.on("request", on_request)
        visit.page.on("requestfinished", lambda request: came.add(_name(request.url)))
        visit.page.add_init_script(HOLD_REPORT)
        visit.page.goto(url)
        shown, waiting = visit.page.get_by_label("Name"), visit.page.get_by_test_id("stSkeleton")
        visit.wait_until(lambda: shown.count() and not waiting.count())
        visit.page.wait_for_load_state("networkidle")
        # What is asked for behind the report shows that the report has been seen.
        go_on = "held.forEach((run) => run()); await fetch(url); return held.length"
        assert visit.page.evaluate(f"async (url) => {{ {go_on} }}", f"{url}_stlaunch/health")
        seen = _Seen(visit)
        firsts = {_name(url) for url in visit.page.evaluate(NAMED)}
        assert len(firsts) > 10
        assert all(firsts <= came_before[name] for name in seen.ahead)
        assert all(asked.count(name) == 1 for name in seen.ahead | seen.used)
        assert visit.console == []
        return seen


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
