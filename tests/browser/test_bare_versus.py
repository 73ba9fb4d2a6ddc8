"""What bare `streamlit run` does behind the same proxies, so that the difference is shown."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import TITLE, count_to, open_first_page
from tests.harness.ports import free_port
from tests.harness.proxies import start_proxy
from tests.harness.server import bare_streamlit
from tests.harness.site import read_report, start_site

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

_NGINX_LINES = """
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
"""


def test_bare_streamlit_stays_blank_behind_the_three_lines(visit: Visit, hello_app: Path) -> None:
    """Nginx rewrites Host, Streamlit answers 403, and the page says nothing."""
    with (
        bare_streamlit(hello_app, free_port()) as server,
        start_proxy("nginx", "three-lines", server.port, keep_prefix=False) as proxy,
    ):
        with visit.page.expect_console_message(
            lambda message: "WebSocket connection" in message.text and "403" in message.text
        ):
            visit.page.goto(proxy.url)
        seen = visit.page.get_by_role("heading", name=TITLE).count()
        server.wait_for_log("Rejecting WebSocket connection")

    assert seen == 0


def test_stlaunch_renders_behind_the_three_lines(visit: Visit) -> None:
    """The same app, the same proxy, protections on."""
    with start_site("nginx", "three-lines") as site:
        open_first_page(visit, site.url)
        count_to(visit, 1)
        report = read_report(site.proxy.url_for("127.0.0.1"))

    assert report["verdict"] == "intact"
    assert report["handshakes"]["by_transport"].get("websocket", 0) > 0


@pytest.mark.parametrize("kind", ["nginx", "nginx-1.22"])
def test_the_bare_location_is_named_and_fixed(kind: str) -> None:
    """`location /streamlitApp/ { proxy_pass ...; }` alone: 426, the lines to add, one log line."""
    with start_site(kind, "blog") as site:
        url = site.proxy.url_for("127.0.0.1")
        answers = [_handshake(f"{url}_stcore/stream") for _ in range(3)]
        report = read_report(url)
        log = site.server.log()

    assert [status for status, _ in answers] == [426, 426, 426]
    assert answers[0][1]["verdict"] == "upgrade_stripped"
    assert answers[0][1]["missing"] == ["Upgrade: websocket", "Connection: Upgrade"]
    assert (report["verdict"], report["handshakes"]["stripped"]) == ("stripped", 3)
    assert log.count("STL301 A proxy dropped") == 1
    assert "stlaunch explain STL301" in log
    assert _NGINX_LINES in str(answers[0][1]["finding"]["fix"])


def _handshake(url: str) -> tuple[int, dict[str, Any]]:
    headers = {
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as ok:
            return ok.status, {}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
