"""What a user does with examples/hello, step by step, at any address.

Owns the knowledge of what that app shows. It must not know how the app is served.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import FrameLocator, Page

    from tests.harness.browser import Visit

TITLE = "Hello from Streamlit"
SECOND_TITLE = "Second page"
GREETING = b"Hello, whoever is in front.\n"
SMALL_BYTES = 1_000
LARGE_BYTES = 2_000_000
RECONNECT_TIMEOUT_MS = 60_000

# What Chromium and the page say when a server is gone for a moment: the socket, the pings, and the
# pictures and downloads that only the old server held. A proxy that still stands answers with 502,
# 503 or 504 in its place. That all of it works again is asserted, so this hides no lasting harm.
_RESTART_NOISE = re.compile(
    r"net::ERR_|: 50[234]$|status of 50[234]|with status 50[234]|WebSocket connection to "
    r"|Client Error in reaching server endpoint|Streamlit server is not responding"
    r"|Client Error: (Image|Download Button|Custom Component \S+) (fetch|source) error"
)


def smoke(visit: Visit, url: str) -> None:
    """Prove that the app at `url` (with its final slash) is alive in a browser.

    The page renders, its button counts, a small upload arrives, and the second page opens
    directly by its own address.

    Raises:
        AssertionError: With the step that failed, what the page shows and what went wrong in it.
    """
    page = visit.page
    open_first_page(visit, url)
    count_to(visit, 1)
    count_to(visit, 2)
    upload(visit, SMALL_BYTES)
    page.goto(f"{url}second_page")
    sees_title(visit, SECOND_TITLE, "the second page opened directly by its address")
    wave_to(visit, 1)


def full(
    visit: Visit,
    url: str,
    *,
    restart: Callable[[], None],
    allow: re.Pattern[str] | None = None,
) -> None:
    """Prove that all of the app at `url` (with its final slash) works, with a clean console.

    Args:
        visit: A fresh page.
        url: The front page's address.
        restart: Stops the server and starts it again at the same address, while a tab is open.
        allow: Red lines that match are none of the server's fault.

    Raises:
        AssertionError: With the step that failed, what the page shows and what went wrong in it.
    """
    smoke(visit, url)
    open_first_page(visit, url)
    upload(visit, LARGE_BYTES)
    images_load(visit)
    chart_draws(visit)
    component_answers(visit)
    download_is_whole(visit)
    navigate_and_return(visit, url)
    reload_second_page(visit, url)
    console_is_clean(visit, allow=allow)
    survive_restart(visit, url, restart)


def open_first_page(visit: Visit, url: str) -> None:
    """Open `url` and wait until the app has run, and the scripts of its elements have arrived.

    One that meets a restart of the app does not show until the page is loaded again. A component
    is in a frame: whether that comes to life is `component_answers`.
    """
    visit.page.goto(url)
    sees_title(visit, TITLE, "the first page opened")
    page = visit.page
    elements = (
        page.get_by_role("button", name="Count", exact=True),
        page.get_by_label("Your name"),
        page.get_by_test_id("stFileUploader"),
        page.get_by_text("Show the waves as a chart"),
        page.get_by_role("button", name="Download greeting"),
    )
    for element in elements:
        _expect(visit, "its elements show", partial(expect(element).to_be_visible))
    waiting = page.get_by_test_id("stElementContainer").filter(
        has=page.get_by_test_id("stSkeleton"), has_not=page.locator("iframe")
    )
    _expect(visit, "all of them", lambda: expect(waiting).to_have_count(0))


def sees_title(visit: Visit, title: str, step: str) -> None:
    """Wait until `title` is shown and the script has come to rest."""
    heading = visit.page.get_by_role("heading", name=title, exact=True, level=1)
    _expect(visit, f"{step}: its title shows", lambda: expect(heading).to_be_visible())
    app = visit.page.get_by_test_id("stApp")
    _expect(
        visit,
        f"{step}: the script comes to rest",
        lambda: expect(app).to_have_attribute("data-test-script-state", "notRunning"),
    )


def count_to(visit: Visit, number: int) -> None:
    """Click the button on the first page and see it count to `number`."""
    # A click while the first run still moves the page about may hit nothing.
    _expect(
        visit,
        "the script has finished",
        lambda: expect(visit.page.get_by_test_id("stApp")).to_have_attribute(
            "data-test-script-state", "notRunning"
        ),
    )
    visit.page.get_by_role("button", name="Count", exact=True).click()
    _shows(visit, f"Clicked {number} time", f"the button counts {number}")


def wave_to(visit: Visit, number: int) -> None:
    """Click the button on the second page and see it count to `number`."""
    visit.page.get_by_role("button", name="Wave", exact=True).click()
    _shows(visit, f"Waved {number} time", f"the second page's button counts {number}")


def upload(visit: Visit, size_bytes: int) -> None:
    """Upload random bytes and see the app show their SHA-256."""
    content = os.urandom(size_bytes)
    visit.page.locator("input[type=file]").set_input_files(
        {"name": "some.bin", "mimeType": "application/octet-stream", "buffer": content}
    )
    _shows(visit, f"{size_bytes} bytes", f"an upload of {size_bytes} bytes arrives")
    _shows(visit, hashlib.sha256(content).hexdigest(), "the upload has the SHA-256 that was sent")


def images_load(visit: Visit) -> None:
    """See both pictures: one from the media route, one from app/static."""
    for source in ("/media/", "app/static/"):
        picture = visit.page.locator(f'img[src*="{source}"]')
        _expect(
            visit,
            f"the picture from {source} is really loaded",
            lambda picture=picture: expect(picture).not_to_have_js_property("naturalWidth", 0),
        )


def chart_draws(visit: Visit) -> None:
    """Switch the chart on, which fetches more of Streamlit's scripts, and see it drawn."""
    visit.page.get_by_text("Show the waves as a chart").click()
    chart = visit.page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first
    _expect(visit, "the chart is drawn", lambda: expect(chart).to_be_visible())


def component_answers(visit: Visit) -> None:
    """Click inside the custom component and see its value arrive in Python."""
    button = _component(visit.page).get_by_role("button", name="Ping Python")
    _expect(visit, "the custom component shows", lambda: expect(button).to_be_visible())
    button.click()
    _shows(visit, "Python got ping 1", "the custom component's value reaches Python")


def download_is_whole(visit: Visit) -> None:
    """Download the greeting and compare every byte."""
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download greeting").click()
    content = Path(download.value.path()).read_bytes()

    assert content == GREETING, f"the download differs: {content!r}"


def navigate_and_return(visit: Visit, url: str) -> None:
    """Go to the second page by a link inside the app, and back by the browser's button."""
    page = visit.page
    page.get_by_role("link", name="Open the second page").click()
    sees_title(visit, SECOND_TITLE, "the link to the second page followed")
    assert page.url == f"{url}second_page", f"the link led to {page.url}"
    wave_to(visit, 1)
    page.go_back()
    sees_title(visit, TITLE, "back on the first page")
    assert page.url == url, f"back led to {page.url}"
    page.get_by_test_id("stSidebar").get_by_role("link", name="second page").click()
    sees_title(visit, SECOND_TITLE, "the sidebar's link followed")
    assert page.url == f"{url}second_page", f"the sidebar's link led to {page.url}"


def reload_second_page(visit: Visit, url: str) -> None:
    """Reload the second page and use it."""
    visit.page.reload()
    sees_title(visit, SECOND_TITLE, "the second page reloaded")
    assert visit.page.url == f"{url}second_page", f"the reload led to {visit.page.url}"
    wave_to(visit, 1)


def console_is_clean(visit: Visit, *, allow: re.Pattern[str] | None = None) -> None:
    """Find nothing red so far: no console error, no uncaught exception, no failed request."""
    red = [line for line in visit.errors() if not (allow and allow.search(line))]
    assert not red, "\n".join(["nothing red was expected:", *red])


def page_is_loaded(visit: Visit) -> None:
    """Wait until the first page's late scripts, fonts and pictures are there as well.

    A script that a stopped server never sent stays missing until a reload; that is Streamlit's own.
    """
    button = visit.page.get_by_role("button", name="Download greeting")
    _expect(visit, "the download button shows", lambda: expect(button).to_be_visible())
    images_load(visit)
    # Not "networkidle": over the HTTP fallback a request is always open.
    visit.page.wait_for_load_state("load")


def reconnects_after(visit: Visit, restart: Callable[[], None]) -> None:
    """Restart the server under an open tab, and wait until the tab is connected to the new one.

    On a busy machine the new server is there before the tab has heard that the old one is gone: it
    still shows that it is connected, and a click would be lost with the old connection.
    """
    tried = len(visit.sockets)
    restart()
    visit.wait_until(lambda: len(visit.sockets) > tried)  # each new connection tries a WebSocket
    _expect(
        visit,
        "the open tab reconnects by itself after a restart of the server",
        lambda: expect(visit.page.get_by_test_id("stApp")).to_have_attribute(
            "data-test-connection-state", "CONNECTED", timeout=RECONNECT_TIMEOUT_MS
        ),
    )


def survive_restart(visit: Visit, url: str, restart: Callable[[], None]) -> None:
    """Restart the server under an open tab, which reconnects by itself and works again.

    Afterwards the console holds nothing but what a stopped server explains.
    """
    open_first_page(visit, url)
    page = visit.page
    run = page.get_by_text(re.compile(r"^Server run \w+$"))
    before = run.inner_text()
    page_is_loaded(visit)
    visit.forget()
    reconnects_after(visit, restart)
    page.get_by_role("button", name="Count", exact=True).click()
    _expect(
        visit,
        "a click after the restart reaches the new server",
        lambda: expect(run).not_to_have_text(before),
    )
    sees_title(visit, TITLE, "reconnected after the restart")
    count_to(visit, 2)
    # A picture that was asked for while the server was away stays broken in an open tab, with bare
    # Streamlit too: a browser does not ask again for an address that has not changed.
    page.reload()
    sees_title(visit, TITLE, "reloaded after the restart")
    images_load(visit)
    download_is_whole(visit)
    rest = [line for line in visit.errors() if not _RESTART_NOISE.search(line)]
    assert not rest, "\n".join(["a restart explains connection errors only:", *rest])


def opens_websocket(
    page: Page,
    page_url: str,
    ws_url: str,
    protocols: Sequence[str] = (),
    *,
    stand_in: bool = False,
    sandboxed: bool = False,
) -> Literal["open", "refused"]:
    """Open a WebSocket from a page of `page_url`'s site and say how the handshake ended.

    "refused" means that the server answered the handshake with an HTTP status other than 101.
    Anything else that keeps the socket shut (nothing listens, no such name, a certificate, mixed
    content) is a mistake in the test, not a defence, and fails it.

    Args:
        page: A page that is navigated to `page_url`.
        page_url: The page that runs the attacker's script.
        ws_url: What it connects to.
        protocols: The subprotocols it offers.
        stand_in: Show an empty page as though `page_url`'s site had sent it; no server is needed
            there, and the origin is the real one.
        sandboxed: Run the script in a sandboxed frame of that page (`Origin: null`).

    Raises:
        AssertionError: If the handshake never got an answer from the server.
    """
    if stand_in:
        page.route(
            page_url,
            lambda route: route.fulfill(content_type="text/html", body="<!doctype html><p>A site"),
        )
    page.goto(page_url)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    outcome = page.evaluate(_OPEN_IN_FRAME if sandboxed else _OPEN, [ws_url, list(protocols)])
    if outcome == "open":
        return "open"
    # Scripts never learn why; the console does, and its message may come a little later.
    deadline = time.monotonic() + 5
    while not (of_it := [text for text in said if ws_url in text]) and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    refused = any("Unexpected response code: " in text for text in of_it)
    assert refused, f"{page_url} to {ws_url}: {outcome}, but no refusal by the server: {said}"
    return "refused"


_OPEN = """
([url, protocols]) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols);
  const deadline = setTimeout(() => resolve("no answer in 20 s"), 20000);
  const end = (outcome) => { clearTimeout(deadline); socket.close(); resolve(outcome); };
  socket.onopen = () => end("open");
  socket.onerror = () => end("error");
})
"""

_OPEN_IN_FRAME = f"""
(args) => new Promise((resolve) => {{
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  window.addEventListener("message", (event) => {{ // components of the page send some as well
    if (event.source === frame.contentWindow) resolve(event.data);
  }});
  const script = `({_OPEN.strip()})(${{JSON.stringify(args)}})
    .then((outcome) => parent.postMessage(outcome, "*"))`;
  frame.srcdoc = "<script>" + script + "</" + "script>";
  document.body.append(frame);
}})
"""


def _component(page: Page) -> FrameLocator:
    return page.frame_locator('iframe[src*="/component/"]')


def _shows(visit: Visit, text: str, step: str) -> None:
    _expect(
        visit,
        step,
        lambda: expect(visit.page.get_by_text(text).first).to_be_visible(),
    )


def _expect(visit: Visit, step: str, check: Callable[[], object]) -> None:
    try:
        check()
    except (AssertionError, PlaywrightTimeoutError) as exc:
        raise AssertionError(f"expected: {step}\n{visit.report()}") from exc
