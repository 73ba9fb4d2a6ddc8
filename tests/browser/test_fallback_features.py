"""All that a Streamlit app sends and takes works over the HTTP transport, behind a bare nginx."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.apps.exercise.steps import EXERCISE, at_rest, open_exercise, press
from tests.harness.browser import Visit
from tests.harness.journeys import reconnects_after
from tests.harness.middleman import Behaviour, start_middleman
from tests.harness.proxies import RunningProxy, start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import start_app, start_site, url_through

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

WORDS = 150


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    # nginx strips its path, and the hop that goes away keeps it.
    with start_app("--prefix", "both", app=EXERCISE) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: RunningServer) -> Iterator[RunningProxy]:
    with start_proxy("nginx", "blog", server.port, keep_prefix=False) as proxy:
        yield proxy


@pytest.fixture
def page(visit: Visit, proxy: RunningProxy) -> Iterator[Page]:
    """The exercise app; afterwards nothing was thrown, and it came over HTTP."""
    open_exercise(visit.page, proxy.url)
    yield visit.page
    assert visit.page_errors == []
    assert visit.asked("/_stlaunch/tunnel/")


def test_fast_typing_arrives(page: Page) -> None:
    """Many runs asked for while others are under way: the last text is the one that stays."""
    field = page.get_by_label("Text", exact=True)
    for number in range(20):
        field.fill("")
        field.type(f"text number {number}")
        field.press("Enter")

    expect(page.get_by_text("Typed: text number 19.")).to_be_visible()
    at_rest(page)
    expect(page.get_by_text("Typed: text number 19.")).to_be_visible()


def _drag(page: Page, thumb: Locator) -> None:
    box = thumb.bounding_box()
    assert box is not None
    x, y = box["x"] + 1, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(x + 5 * step, y)
        page.wait_for_timeout(10)
    page.mouse.up()
    at_rest(page)


def test_a_dragged_slider_ends_where_it_shows(page: Page) -> None:
    """Each step of the drag asks for a run; Python ends with the value at the thumb."""
    thumb = page.get_by_role("slider")
    for _ in range(5):  # a run that ends meanwhile may move the slider away below the mouse
        page.get_by_test_id("stSlider").hover()  # scrolls there, and waits until it stands
        _drag(page, thumb)
        value = thumb.input_value()
        if int(value) > 100:
            break

    assert int(value) > 100
    expect(page.get_by_text(f"Level is {value}.")).to_be_visible()


def test_a_written_stream_is_whole_and_comes_bit_by_bit(page: Page) -> None:
    """Every word once and in order; the first ones show before the last one is written."""
    page.get_by_role("button", name="Stream", exact=True).click()
    lengths = _watch(page, "The stream has ended.", _STREAMED)

    expect(page.get_by_text(_all_words())).to_be_visible()
    assert len(set(lengths)) > 1  # how many are seen depends on the machine
    assert lengths == sorted(lengths)


def test_a_progress_bar_moves_forward_only(page: Page) -> None:
    """Some of its positions show, never an older one after a newer one."""
    page.get_by_role("button", name="Work", exact=True).click()
    positions = _watch(page, "The work is done.", _PROGRESS)

    assert len(set(positions)) > 1  # how many are seen depends on the machine
    assert positions == sorted(positions)
    assert positions[-1] == 100


def test_many_messages_take_few_requests(page: Page) -> None:
    """A run of some 400 messages goes out in batches."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    press(page, "Many messages")

    expect(page.get_by_text("All messages sent.")).to_be_visible()
    expect(page.get_by_text("Message 199.")).to_be_visible()
    expect(page.get_by_text("line ", exact=False)).to_have_count(200)
    assert len([url for url in requests if "/_stlaunch/tunnel/" in url]) < 50


def test_a_chart_is_drawn(page: Page) -> None:
    """Its data and Streamlit's late scripts arrive."""
    press(page, "Chart")

    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible()


def test_a_large_table_arrives(page: Page) -> None:
    """5.6 MB in one message, in fragments."""
    press(page, "Table")

    grid = page.get_by_test_id("stDataFrame").locator("[aria-rowcount]")
    expect(grid).to_have_attribute("aria-rowcount", "100001")


def test_a_download_is_whole(page: Page) -> None:
    """1 MB from the media route, which is no part of the tunnel, byte by byte."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()

    assert Path(download.value.path()).read_bytes() == bytes(range(256)) * 4096


def test_reruns_from_the_script_end(page: Page) -> None:
    """`st.rerun` three times in a row."""
    press(page, "Rerun")

    expect(page.get_by_text("Reruns: 3.")).to_be_visible()


def test_a_fragment_runs_alone(page: Page) -> None:
    """Its button counts, the rest of the script does not run."""
    runs = page.get_by_text(re.compile(r"^Runs: \d+\.$")).inner_text()
    press(page, "Part")
    expect(page.get_by_text("Parts: 1.")).to_be_visible()
    press(page, "Part")

    expect(page.get_by_text("Parts: 2.")).to_be_visible()
    expect(page.get_by_text(runs, exact=True)).to_be_visible()


def test_a_fragment_refreshes_by_itself(page: Page) -> None:
    """`run_every`: the page asks again and again, and clicks are still answered."""
    page.get_by_text("Clock", exact=True).click()
    expect(page.get_by_text(re.compile(r"Ticks: ([5-9]|\d\d+)\."))).to_be_visible()
    press(page, "Click")

    expect(page.get_by_text("Clicks: 1.")).to_be_visible()


def test_pages_share_their_session(page: Page) -> None:
    """To another page by its link, and back: one session, one connection."""
    press(page, "Click")
    expect(page.get_by_text("Clicks: 1.")).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_role("link", name="other").click()
    expect(page.get_by_role("heading", name="Other page")).to_be_visible()
    expect(page.get_by_text("Clicks elsewhere: 1")).to_be_visible()
    page.go_back()

    expect(page.get_by_text("Clicks: 1.")).to_be_visible()


def test_a_custom_component_talks_to_python(page: Page) -> None:
    """From its frame, through the page, over the tunnel."""
    frame = page.frame_locator('iframe[src*="/component/"]')
    frame.get_by_role("button", name="Ping Python").click()

    expect(page.get_by_text("Pings: 1.")).to_be_visible()


def test_chat_keeps_its_order(page: Page) -> None:
    """Ten messages, each sent as soon as the one before shows."""
    field = page.get_by_test_id("stChatInput").get_by_role("textbox")
    for number in range(10):
        field.fill(f"message {number}")
        field.press("Enter")
        expect(page.get_by_text(f"{number}: message {number}", exact=True)).to_be_visible()

    expect(page.get_by_test_id("stChatMessage")).to_have_count(10)


def test_a_gone_proxy_costs_time_alone(visit: Visit, server: RunningServer) -> None:
    """The path is away for some seconds while words are streamed: none is lost or doubled."""
    behaviour = Behaviour(handshake="403")
    with start_middleman(server.port, behaviour) as hop:
        page = visit.page
        open_exercise(page, url_through(hop))
        press(page, "Click")
        expect(page.get_by_text("Clicks: 1.")).to_be_visible()
        page.get_by_role("button", name="Stream", exact=True).click()
        page.get_by_text("w1 ").first.wait_for()
        behaviour.is_down = True
        hop.cut()
        page.wait_for_timeout(3000)
        behaviour.is_down = False
        expect(page.get_by_text("The stream has ended.")).to_be_visible()

        expect(page.get_by_text(_all_words())).to_be_visible()
        expect(page.get_by_text("Clicks: 1.")).to_be_visible()


def test_a_restarted_server_is_found_again(visit: Visit) -> None:
    """The open tab reconnects by itself, and its widgets keep their values as with a socket."""
    with start_site("nginx", "blog", app=EXERCISE) as site:
        page = visit.page
        open_exercise(page, site.url)
        page.get_by_label("Text", exact=True).fill("kept")
        page.get_by_label("Text", exact=True).press("Enter")
        page.get_by_text("Typed: kept.").wait_for()
        at_rest(page)
        run = page.get_by_text(re.compile(r"^Server run \w+$"))
        before = run.inner_text()
        reconnects_after(visit, site.server.restart)
        press(page, "Click")

        expect(run).not_to_have_text(before)
        expect(page.get_by_text("Typed: kept.")).to_be_visible()
        expect(page.get_by_text("Clicks: 1.")).to_be_visible()


def _all_words() -> str:
    return " ".join(f"w{number}" for number in range(1, WORDS + 1))


# What shows at this moment, as a number.
_STREAMED = """
  [...document.querySelectorAll("p")].filter((p) => p.innerText.startsWith("w1 "))
    .map((p) => p.innerText.length)[0] ?? 0
"""
_PROGRESS = """
  Number(document.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow") ?? 0)
"""


def _watch(page: Page, last: str, look: str) -> list[int]:
    """Note what `look` says again and again until the text `last` shows."""
    seen: list[int] = []
    deadline = time.monotonic() + 30
    while not page.get_by_text(last).is_visible():
        assert time.monotonic() < deadline, f"{last!r} never showed; seen: {seen}"
        seen.append(page.evaluate(look))
        page.wait_for_timeout(20)
    seen.append(page.evaluate(look))
    return seen
