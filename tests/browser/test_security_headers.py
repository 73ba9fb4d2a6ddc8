"""Content-Security-Policy in Chromium: the strict one that is written, and those that break a page.

The app has one of each element that a policy could break.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from stlaunch.diagnostics.page_policy import page_policy
from tests.harness.broken_nginx import start_broken
from tests.harness.browser import Visit
from tests.harness.generated import generated_site, start_generated
from tests.harness.middleman import Behaviour, start_middleman
from tests.harness.proxies import RunningProxy
from tests.harness.server import RunningServer
from tests.harness.site import start_app

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

ELEMENTS = Path(__file__).parents[1] / "apps" / "elements" / "streamlit_app.py"
SLOW_MS = 60_000
# The map below deck.gl's layers is another site's, and Streamlit's page marks itself for search
# engines with an inline script; nothing else may be blocked.
BLOCKED = ("https://basemaps.cartocdn.com", "sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA=")


@pytest.fixture(scope="module")
def elements() -> Iterator[RunningServer]:
    with start_app("--prefix", "both", app=ELEMENTS) as server:
        yield server


@pytest.mark.parametrize("is_fallback", [False, True], ids=["websocket", "fallback"])
def test_every_element_works_under_the_strict_policy(
    visit: Visit, elements: RunningServer, *, is_fallback: bool
) -> None:
    """Charts, components, media, uploads and downloads; the log names what the map asks for."""
    with ExitStack() as stack:
        port = elements.port
        if is_fallback:
            port = stack.enter_context(start_middleman(port, Behaviour(handshake="403"))).port
        site = generated_site(
            "nginx", [port], keep_prefix=True, is_https=False, has_security_headers=True
        )
        proxy = stack.enter_context(start_generated("nginx", site, None))
        answer = visit.page.goto(proxy.url)
        assert answer is not None
        assert answer.headers["content-security-policy"] == page_policy()
        _use_all(visit)
        elements.wait_for_log("connect-src blocks something of another site")

    assert bool(visit.asked("/_stlaunch/tunnel/")) == is_fallback
    refused = [line for line in visit.console if "Content Security Policy" in line]
    assert [line for line in refused if not any(known in line for known in BLOCKED)] == []
    assert not [line for line in elements.log().splitlines() if "STL810" in line][1:]
    assert visit.page_errors == []


def _use_all(visit: Visit) -> None:
    """See every element, and use those that can be used."""
    page = visit.page
    expect(page.get_by_text("Python got pong 0")).to_be_visible(timeout=SLOW_MS)
    for element in ("stVegaLiteChart", "stGraphVizChart", "stDeckGlJsonChart", "stDataFrame"):
        drawn = page.get_by_test_id(element).locator("canvas, svg").first
        expect(drawn).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("img[src*='/media/']")).not_to_have_js_property("naturalWidth", 0)
    page.locator("audio").scroll_into_view_if_needed()
    expect(page.locator("audio")).not_to_have_js_property("readyState", 0)
    for text, colour in (("styled", "4, 5, 6"), ("own HTML", "7, 8, 9")):
        expect(page.get_by_text(text, exact=True)).to_have_css("color", f"rgb({colour})")
    expect(page.locator(".katex").first).to_be_visible()

    page.frame_locator("iframe[title*=ping]").get_by_role("button").click()
    expect(page.get_by_text("Python got ping 1")).to_be_visible()
    pong = page.get_by_role("button", name="Pong Python")
    expect(pong).to_have_css("color", "rgb(1, 2, 3)")
    pong.click()
    expect(page.get_by_text("Python got pong 1")).to_be_visible()
    content = b"an upload"
    page.locator("input[type=file]").set_input_files(
        {"name": "some.bin", "mimeType": "application/octet-stream", "buffer": content}
    )
    expect(page.get_by_text(hashlib.sha256(content).hexdigest())).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert Path(download.value.path()).read_bytes() == b"whole\n"


def test_a_page_that_a_policy_keeps_from_its_server_says_so(
    visit: Visit, elements: RunningServer
) -> None:
    """On the page, in the log, and by the self-check page, which is kept from it too."""
    with _start_with_policy(elements, "connect-src 'none'") as proxy:
        visit.page.goto(proxy.url)
        notice = visit.page.get_by_role("alert").filter(has_text="Code STL810")
        expect(notice).to_contain_text("Content-Security-Policy (connect-src)")
        elements.wait_for_log("connect-src blocks something of the app's own address")
        notice.get_by_role("link").click()
        headline = visit.page.locator("#verdict[data-tone=bad] h1")
        expect(headline).to_contain_text("A Content-Security-Policy keeps this browser from")
    card = visit.page.locator(".finding[data-code=STL810]")
    expect(card).to_contain_text("connect-src does not allow")


def test_the_self_check_page_reads_the_headers_that_arrive(
    visit: Visit, elements: RunningServer
) -> None:
    """What is forbidden to the page and to the frames of components, by the rules of `check`."""
    policy = "font-src 'none'; frame-ancestors 'none'"
    embedder = "add_header Cross-Origin-Embedder-Policy require-corp always;"
    with _start_with_policy(elements, policy, embedder) as proxy:
        visit.page.goto(f"{proxy.url}_stlaunch/")
        visit.page.locator("#verdict:not([data-tone=running])").wait_for(timeout=120_000)
    row = visit.page.locator("#test-policies")
    expect(row).to_have_attribute("data-status", "warn")
    expect(row).to_contain_text("`font-src 'none'` blocks its fonts and icons.")
    row.locator("summary").click()
    expect(row).to_contain_text("frame-ancestors 'none' keeps custom components")
    expect(row).to_contain_text("Cross-Origin-Embedder-Policy: require-corp keeps images")


def _start_with_policy(
    server: RunningServer, policy: str, *rules: str
) -> AbstractContextManager[RunningProxy]:
    """Run nginx that adds a policy to everything."""
    rule = "\n".join([f'add_header Content-Security-Policy "{policy}" always;', *rules])
    return start_broken("healthy", server.port, rules=rule)
