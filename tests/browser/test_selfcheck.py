"""The self-check page in Chromium, behind correct and broken proxies: it names the cause.

A screenshot of each is left in the folder that STLAUNCH_ARTEFACTS names, else in pytest's own.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.harness.broken_nginx import FRAME_LIMIT, REPLICAS, start_broken
from tests.harness.browser import Visit
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import start_app
from tests.harness.tls import Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

DONE_MS = 120_000
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"width": 1180, "height": 860},
    "phone": {"width": 390, "height": 844},
}
TOKEN = "correct-horse-battery-staple"

Shoot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go; never into the repository."""
    named = os.environ.get("STLAUNCH_ARTEFACTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def shoot(artefacts: Path) -> Shoot:
    def shoot(page: Page, name: str) -> None:
        path = artefacts / f"self-check {name}.png".replace(" ", "-")
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 0

    return shoot


def _run(page: Page, url: str) -> None:
    """Open the page and wait for its verdict."""
    page.goto(f"{url}_stlaunch/")
    page.locator("#verdict:not([data-tone=running])").wait_for(timeout=DONE_MS)


def _load(url: str) -> None:
    """Load a page and its script, as a browser does that keeps neither."""
    with urlopen(url, timeout=30) as answer:
        script = re.search(r'src="([^"]*/_stlaunch/page\.js[^"]*)"', answer.read().decode())
    assert script is not None
    urlopen(urljoin(url, html.unescape(script[1])), timeout=30).close()


def _codes(page: Page) -> list[str | None]:
    return [card.get_attribute("data-code") for card in page.locator(".finding").all()]


BREAKAGES = [
    # What is wrong, the code on top, what the card shows of the evidence.
    ("stripped", "STL301", "Upgrade: missing, Connection: missing"),
    ("host rewritten", "STL403", "The app sees 127.0.0.1"),
    ("body limit", "STL602", "server.maxUploadSize (200 MB)"),
    ("idle limit", "STL604", "the server pings every 30 s"),
    ("buffering", "STL605", "6 lines over 1.0 s came within"),
    ("cookies dropped", "STL507", "Cookie of the browser reaches the app: no"),
    ("subprotocol dropped", "STL307", "Sec-WebSocket-Protocol is missing from the handshake"),
    (FRAME_LIMIT, "STL601", "the socket ended with code 1009"),
]


@pytest.mark.parametrize("case", BREAKAGES, ids=lambda case: case[0])
def test_the_page_names_the_cause(
    visit: Visit, server: RunningServer, shoot: Shoot, case: tuple[str, str, str]
) -> None:
    """One line of nginx is wrong: its code, what was seen, and nothing else."""
    breakage, code, evidence = case
    with start_broken(breakage, server.port) as proxy:
        _run(visit.page, proxy.url)
        shoot(visit.page, breakage)
    codes = _codes(visit.page)

    assert codes[0] == code, visit.report()
    assert set(codes) <= {code, "STL403"}, visit.report()  # the relay rewrites Host as well
    expect(visit.page.locator(f".finding[data-code={code}]").first).to_contain_text(evidence)
    assert not visit.page_errors


def test_a_correct_proxy_is_clean(
    visit: Visit, server: RunningServer, tls: Tls, shoot: Shoot
) -> None:
    """Over https: all passes, and nothing overflows on a desktop or a phone, dark or light."""
    page = visit.page
    with start_broken("healthy", server.port, tls=tls) as proxy:
        _run(page, proxy.url)
        overflows = {}
        for look, size in LOOKS.items():
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                shoot(page, f"healthy {look} {scheme}")
            overflows[look] = page.locator("html").evaluate(
                "root => root.scrollWidth - root.clientWidth"
            )
        expect(page.get_by_role("heading", level=1)).to_have_text("Everything gets through")
        assert _codes(page) == []
        # What is red is asked for on purpose: an upload into a session that does not exist, and a
        # component that does not, for the headers of its folder.
        wanted = ("upload_file", "400", "/component/stlaunch.probe/")
        red = [line for line in visit.errors() if not any(part in line for part in wanted)]
        page.get_by_role("link", name="Report of the server").click()
        expect(page.locator("body")).to_contain_text("stlaunch.selfcheck/1")

    assert overflows == {"desktop": 0, "phone": 0}
    assert not red


@pytest.mark.parametrize(("kind", "is_named"), [("caddy", True), ("haproxy", False)])
def test_other_correct_proxies_are_clean(
    visit: Visit, server: RunningServer, kind: str, *, is_named: bool
) -> None:
    """Recognised where they leave a sign; the lines for them are chosen then."""
    with start_proxy(kind, "recommended", server.port, keep_prefix=False) as proxy:
        _run(visit.page, proxy.url)

    assert _codes(visit.page) == [], visit.report()
    assert visit.page.locator("#product").input_value() == (kind if is_named else "none")


def test_fixes_follow_the_proxy_that_is_chosen(visit: Visit, server: RunningServer) -> None:
    """Nginx is recognised; the user can choose another proxy. All of it by keyboard."""
    with start_broken("stripped", server.port) as proxy:
        page = visit.page
        _run(page, proxy.url)
        fix = page.locator(".finding[data-code=STL301] .fix")
        expect(fix).to_contain_text("proxy_set_header Upgrade $http_upgrade;")
        expect(fix).to_contain_text("inside `location /streamlitApp/")
        product = page.get_by_label("Lines for")
        expect(product).to_have_value("nginx")
        product.focus()
        product.select_option("apache")
        expect(fix).to_contain_text("upgrade=websocket")

        page.get_by_role("link", name="STL301").press("Enter")
        assert page.url.endswith("/_stlaunch/#STL301")
        page.goto(f"{proxy.url}_stlaunch/#STL702")
        page.reload()
        expect(page.locator("#STL702")).to_contain_text("this browser does not see it")
        expect(page.locator("#STL301")).to_be_visible()


def test_the_report_can_be_copied_and_names_nobody(visit: Visit, server: RunningServer) -> None:
    """Markdown with code and evidence; host names and addresses are taken out."""
    with start_broken("stripped", server.port) as proxy:
        page = visit.page
        # Plain http has no clipboard of its own; what would be put there is seen here.
        page.add_init_script(
            "document.execCommand = () => { window.copied = document.activeElement.value; "
            "return true; };"
        )
        _run(page, proxy.url)
        page.get_by_role("button", name="Copy report").press("Enter")
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        text = page.evaluate("() => window.copied")

    assert "## stlaunch self-check: A proxy drops the WebSocket upgrade" in text
    assert "**STL301, Handshake**" in text
    assert "| Upgrade | websocket | missing |" in text
    assert "app.example.test" not in text
    assert not re.search(r"\b127\.0\.0\.1\b", text)


def test_a_refused_origin_is_named(visit: Visit, shoot: Shoot) -> None:
    """Host rewritten, and the origin proof switched off: the page says which two disagree.

    What the app's author switched off is on the page in the words of `stlaunch check`.
    """
    flags = ["--origin-check", "strict", "--server.enableXsrfProtection", "false"]
    with (
        start_app(*flags) as server,
        start_broken("host rewritten", server.port) as proxy,
    ):
        _run(visit.page, proxy.url)
        shoot(visit.page, "origin refused")
        first = visit.page.locator(".finding").first
        expect(first).to_contain_text(f"Origin: http://app.example.test:{proxy.port}")
        expect(first).to_contain_text(f"Host: 127.0.0.1:{server.port}")
        protection = visit.page.locator(".finding[data-code=STL511]")
        expect(protection).to_contain_text("server.enableXsrfProtection is false")
        expect(protection).to_contain_text("Remove server.enableXsrfProtection=false, and fix")

    assert _codes(visit.page) == ["STL501", "STL511"]


def test_replicas_without_affinity_are_named_by_the_page_and_the_server(
    visit: Visit, server: RunningServer, shoot: Shoot
) -> None:
    """Two instances that take turns: one cause for all that follows from it."""
    with (
        start_app() as second,
        start_broken(REPLICAS, server.port, second.port) as proxy,
    ):
        _run(visit.page, proxy.url)
        shoot(visit.page, "replicas")
        codes = _codes(visit.page)
        expect(visit.page.locator(".finding").first).to_contain_text("reached 2 replicas")
        visit.page.goto("about:blank")
        # In strict turns each page's script comes from the other one: twelve in a row are proof.
        for _ in range(60):
            _load(proxy.url_for("127.0.0.1"))
            if "STL702" in server.log() + second.log():
                break
        log = server.log() + second.log()

    assert codes[0] == "STL702"
    assert "STL702 Several replicas answer under this name" in log


def test_works_without_websockets(visit: Visit, server: RunningServer) -> None:
    """A browser, an extension or a policy forbids them: that is said, and all else is tested."""
    visit.page.add_init_script("delete window.WebSocket;")
    with start_broken("healthy", server.port) as proxy:
        _run(visit.page, proxy.url)

    assert _codes(visit.page) == ["STL304"]
    expect(visit.page.locator(".finding")).to_contain_text("This browser opens no WebSocket")
    assert visit.page.locator("#test-upload").get_attribute("data-status") == "ok"


def test_longer_tests_run_on_request(visit: Visit, server: RunningServer) -> None:
    """The body limit is narrowed down, and the idle limit measured with a countdown."""
    with start_broken("idle limit", server.port) as proxy:
        page = visit.page
        _run(page, proxy.url)
        page.get_by_label("Longest idle time").select_option("60")
        page.locator("#run-idle").click()
        expect(page.locator("#result-idle")).to_contain_text("left, nothing is sent")
        expect(page.locator("#result-idle")).to_contain_text("A quiet socket is cut after")
    with start_broken("body limit", server.port) as proxy:
        _run(page, proxy.url)
        page.locator("#run-upload").click()
        result = page.locator("#result-upload")
        expect(result).to_contain_text(
            re.compile(r"Bodies above (9\d\d KB|1(\.0)? MB) are refused")
        )


def test_the_message_of_a_page_that_cannot_connect_leads_here(visit: Visit) -> None:
    """With the WebSocket stripped and no fallback: from the notice to the cause in one click."""
    flags = ["--transport", "websocket"]
    with (
        start_app(*flags) as server,
        start_broken("stripped", server.port) as proxy,
    ):
        visit.page.goto(proxy.url)
        notice = visit.page.get_by_role("alert").filter(has_text="STL303")
        notice.get_by_role("link").click()
        visit.page.locator("#verdict:not([data-tone=running])").wait_for(timeout=DONE_MS)

    assert _codes(visit.page) == ["STL301"]


def test_the_token_is_asked_for_and_taken_from_the_banner(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed into the form, or behind # in the address, where no log sees it."""
    with start_app("--self-check", "token") as server:
        server.wait_for_log("(shown once)")
        found = re.search(r"with the token (\S+)\s+\(shown once\)", server.log())
        assert found is not None
        page = visit.page
        url = f"{server.url}streamlitApp/_stlaunch/"
        page.goto(url)
        page.get_by_label("This self-check asks for a token").fill(found[1])
        page.get_by_role("button", name="Continue").click()
        page.locator("#verdict[data-tone=good]").wait_for(timeout=DONE_MS)
        page.evaluate("() => sessionStorage.clear()")
        page.goto("about:blank")
        page.goto(f"{url}#token={found[1]}")
        page.locator("#verdict[data-tone=good]").wait_for(timeout=DONE_MS)

        assert found[1] not in page.url
