"""Every element that uses the network does the same bare, over the WebSocket and without it."""

from __future__ import annotations

import hashlib
import re
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.harness.browser import Visit, new_page
from tests.harness.ports import free_port
from tests.harness.proxies import start_proxy
from tests.harness.server import bare_streamlit
from tests.harness.site import start_app

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

APP = Path(__file__).parents[1] / "apps" / "wide" / "streamlit_app.py"
STATIC = ("--server.enableStaticServing", "true")
ROWS = "20001"  # with the head


@pytest.mark.whole_chromium
def test_all_ways_give_the_same(chromium: Browser) -> None:
    """One browser, one app, three ways: what Python got, what the page shows, what was answered."""
    seen: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        bare = stack.enter_context(bare_streamlit(APP, free_port(), *STATIC))
        server = stack.enter_context(start_app("--prefix", "both", *STATIC, app=APP))
        ways = {
            "websocket": stack.enter_context(
                start_proxy("nginx", "recommended", server.port, keep_prefix=True)
            ).url_for("127.0.0.1"),
            "fallback": stack.enter_context(
                start_proxy("nginx", "blog", server.port, keep_prefix=False)
            ).url_for("127.0.0.1"),
        }
        for way, url in {"bare": bare.url, **ways}.items():
            visit = stack.enter_context(new_page(chromium))
            seen[way] = use(visit, url)
            assert bool(visit.asked("/_stlaunch/tunnel/")) == (way == "fallback")

    red = {way: found.pop("red") for way, found in seen.items()}
    assert red["websocket"] == red["fallback"] == []  # bare asks for its parts at a wrong address
    assert seen["websocket"] == seen["bare"]
    assert seen["fallback"] == seen["bare"]


def use(visit: Visit, url: str) -> dict[str, Any]:
    """Use each element, and return the results by name."""
    page = visit.page
    page.add_init_script(_CAMERA)
    page.goto(f"{url}?team=a%20b")
    expect(page.get_by_role("heading", name="Wide", exact=True)).to_be_visible()
    # What is below a widget moves while its script comes: a click hits nothing.
    for late in (
        page.get_by_role("button", name="Download", exact=True),
        page.get_by_role("button", name="Upload", exact=True),
        page.frame_locator('iframe[src*="/component/"]').get_by_role("button"),
        page.get_by_role("button", name="Take Photo"),
        page.get_by_test_id("stDataFrame").last,
        page.get_by_test_id("stChatInput").get_by_role("textbox"),
    ):
        expect(late.first).to_be_visible()
    rests(page)
    found = {step.__name__: step(page) for step in STEPS}
    found["late pages"] = pages(page, url)
    # The bare nginx takes no upgrade, and no body above 1 MB: what it refuses goes another way.
    ours = re.compile(r"/_stlaunch/|_stcore/stream|413.*_stcore/upload|_stcore/upload.*413")
    found["red"] = [line.replace(url, "/") for line in visit.errors() if not ours.search(line)]
    return found


def rests(page: Page) -> None:
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")


def press(page: Page, name: str) -> None:
    rests(page)
    page.get_by_role("button", name=name, exact=True).click()


def says(page: Page, begin: str, wanted: str) -> str:
    """Wait until the line with this beginning has the expected text, and return the line."""
    line = page.get_by_text(re.compile(f"^{re.escape(begin)}: "))
    expect(line).to_contain_text(wanted)
    return line.inner_text()


def clicks(page: Page) -> str:
    press(page, "Click")
    return says(page, "Clicks", "1.")


def stream(page: Page) -> str:
    press(page, "Stream")
    text = page.get_by_text(re.compile("^w1 .* w40$"))
    expect(text).to_be_visible()
    return text.inner_text()


def fragment(page: Page) -> str:
    press(page, "Tick")
    text = page.get_by_text("Several ticks.")
    expect(text).to_be_visible()
    return text.inner_text()


def dialog(page: Page) -> str:
    press(page, "Ask")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    return says(page, "Answer", "yes")


def query(page: Page) -> list[str]:
    press(page, "Set query")
    said = says(page, "Query", "2 & 3")
    return [said, page.url.partition("?")[2]]


def uploads(page: Page) -> list[str]:
    rests(page)
    picker = page.get_by_test_id("stFileUploader").locator('input[type="file"]')
    small, large = b"small\n", bytes(range(256)) * 8192
    picker.set_input_files(
        [
            {"name": "small.txt", "mimeType": "text/plain", "buffer": small},
            {"name": "ä b.bin", "mimeType": "application/octet-stream", "buffer": large},
        ]
    )
    both = says(page, "Files", "small.txt") and says(page, "Files", "ä b.bin")
    rests(page)
    small_one = re.compile("small.txt")
    page.get_by_test_id("stFileUploader").get_by_role("button", name=small_one).click()
    expect(page.get_by_text(re.compile("^Files: "))).not_to_contain_text("small.txt")
    return [both, says(page, "Files", "ä b.bin")]


def download(page: Page) -> tuple[str, str]:
    rests(page)
    with page.expect_download() as found:
        page.get_by_role("button", name="Download", exact=True).click()
    data = Path(found.value.path()).read_bytes()
    return found.value.suggested_filename, hashlib.sha256(data).hexdigest()


def media(page: Page) -> Any:
    page.get_by_test_id("stImage").get_by_role("img").wait_for()
    return page.evaluate(_MEDIA)


def components(page: Page) -> list[str]:
    page.frame_locator('iframe[src*="/component/"]').get_by_role("button").click()
    pings = says(page, "Pings", "1.")
    press(page, "Pong Python")
    return [pings, says(page, "Pongs", "1.")]


def camera(page: Page) -> str:
    press(page, "Take Photo")
    return says(page, "Photo", "(")


def editor(page: Page) -> str:
    rests(page)
    cells = page.get_by_test_id("stDataFrame").first
    cell = page.locator("#portal textarea")
    for _ in range(5):  # the page still moves, and a click may hit what is above
        cells.evaluate("element => element.scrollIntoView({ block: 'center' })")
        cells.locator(".dvn-scroller").click(position={"x": 150, "y": 52})
        page.keyboard.press("Enter")
        with suppress(PlaywrightTimeoutError):
            cell.wait_for(timeout=3_000)
            break
    cell.fill("changed")
    cell.press("Enter")
    return says(page, "Names", "changed")


def cached_message(page: Page) -> str | None:
    press(page, "Click")
    says(page, "Clicks", "2.")
    grid = page.get_by_test_id("stDataFrame").last.locator("[aria-rowcount]")
    expect(grid).to_have_attribute("aria-rowcount", ROWS)
    return grid.get_attribute("aria-rowcount")


def chat(page: Page) -> str:
    rests(page)
    box = page.get_by_test_id("stChatInput")
    box.locator('input[type="file"]').set_input_files(
        [{"name": "said.txt", "mimeType": "text/plain", "buffer": b"said\n"}]
    )
    box.get_by_role("textbox").fill("with a file")
    expect(box.get_by_text("5.0B")).to_be_visible()  # it has arrived
    box.get_by_test_id("stChatInputSubmitButton").click()
    return says(page, "Said", "said.txt")


def static_file(page: Page) -> Any:
    return page.evaluate(_STATIC)


def pages(page: Page, url: str) -> list[str]:
    page.get_by_test_id("stSidebar").get_by_role("link", name="second").click()
    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    found = [says(page, "Clicks", "2."), page.url.replace(url, "/")]
    page.goto(f"{url}second")
    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    return [*found, says(page, "Clicks", "0.")]


STEPS: tuple[Callable[[Page], Any], ...] = (
    *(clicks, stream, fragment, dialog, query, uploads, download, media, components),
    *(camera, editor, cached_message, chat, static_file),
)

# A camera that this machine has not: the frames are those of a picture.
_CAMERA = """
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [64, 48];
  setInterval(() => picture.getContext("2d").fillRect(0, 0, Math.random() * 64, 48), 50);
  navigator.mediaDevices.getUserMedia = async () => picture.captureStream(20);
"""
_MEDIA = """
  async () => {
    const sound = document.querySelector("audio");
    if (!(sound.duration > 0))
      await new Promise((resolve) => sound.addEventListener("durationchange", resolve));
    const part = await fetch(sound.src, { headers: { Range: "bytes=10-19" } });
    const kept = ["accept-ranges", "content-range", "content-type", "content-length"];
    const image = document.querySelector('[data-testid="stImage"] img');
    return {
      seconds: sound.duration,
      status: part.status,
      headers: kept.map((name) => part.headers.get(name)),
      bytes: [...new Uint8Array(await part.arrayBuffer())],
      image: [image.naturalWidth, image.naturalHeight],
    };
  }
"""
_STATIC = """
  async () => {
    const answer = await fetch("app/static/note.txt");
    const kept = ["content-type", "x-content-type-options", "access-control-allow-origin"];
    return [answer.status, await answer.text(), ...kept.map((name) => answer.headers.get(name))];
  }
"""
