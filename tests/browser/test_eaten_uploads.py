"""Uploads where a proxy eats what they need (cookies, XSRF header, all bodies), in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Visit
from tests.harness.journeys import LARGE_BYTES, SMALL_BYTES, count_to, open_first_page, upload
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import BASE

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

_LOCATION = f"location {BASE}/ {{"
RULES = {
    "set-cookie hidden": "proxy_hide_header Set-Cookie;",
    "cookie removed": 'proxy_set_header Cookie "";',
    "token removed": 'proxy_set_header X-Xsrftoken "";',
    "cookie path rewritten": "proxy_cookie_path / /elsewhere/;",
    "bodies refused": "limit_except GET { deny all; }",
    "bodies cut": "if ($request_method !~ ^(GET|HEAD)$) { return 444; }",
}
_UPGRADE = re.compile(r" +proxy_set_header (Upgrade|Connection) .*\n")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_uploads_go_over_a_socket_of_their_own(
    visit: Visit, server: RunningServer, rule: str
) -> None:
    """With Streamlit's check on: it is shown a valid pair. Also larger ones, and deletions."""
    with start_proxy(
        "nginx",
        "recommended",
        server.port,
        keep_prefix=True,
        edit=lambda text: text.replace(_LOCATION, f"{_LOCATION} {rule}", 1),
    ) as proxy:
        open_first_page(visit, proxy.url)
        before = len(visit.sockets)
        upload(visit, SMALL_BYTES)
        visit.page.get_by_test_id("stFileChipDeleteBtn").get_by_role("button").click()
        expect(visit.page.get_by_text(f"{SMALL_BYTES} bytes")).not_to_be_visible()
        upload(visit, LARGE_BYTES)
        count_to(visit, 1)
        visit.wait_until(lambda: len(visit.sockets) >= before + 3)

        assert visit.page.get_by_role("alert").count() == 0


def test_the_http_transport_carries_them_as_well(visit: Visit, server: RunningServer) -> None:
    """Cookies are removed, and no WebSocket gets through."""

    def edit(text: str) -> str:
        rule = RULES["cookie removed"]
        return _UPGRADE.sub("", text.replace(_LOCATION, f"{_LOCATION} {rule}", 1))

    with start_proxy("nginx", "recommended", server.port, keep_prefix=True, edit=edit) as proxy:
        open_first_page(visit, proxy.url)
        upload(visit, SMALL_BYTES)
        upload(visit, LARGE_BYTES)
        count_to(visit, 1)

    assert visit.asked("/_stlaunch/tunnel/")


def test_one_can_be_aborted_and_refused(visit: Visit, server: RunningServer) -> None:
    """Its progress is that of what the app took; an unknown session is refused by Streamlit."""
    with start_proxy(
        "nginx",
        "recommended",
        server.port,
        keep_prefix=True,
        edit=lambda text: text.replace(_LOCATION, f"{_LOCATION} {RULES['token removed']}", 1),
    ) as proxy:
        sent: list[str] = []
        visit.page.on(
            "request", lambda request: sent.append(request.url) if request.method == "PUT" else None
        )
        open_first_page(visit, proxy.url)
        upload(visit, SMALL_BYTES)
        own = re.sub(r"[^/]+$", "0123456789abcdef0123456789abcdef", sent[-1])
        strange = re.sub(r"[^/]+/([^/]+)$", r"00000000-0000-0000-0000-000000000000/\1", own)
        seen = visit.page.evaluate(_TRY, [own, strange])

    whole, aborted, refused = seen
    assert whole["status"] == 204
    assert whole["progress"] == sorted(whole["progress"])
    assert whole["progress"][-1] > 3_000_000
    assert [name for name in aborted["events"] if name != "loadstart"] == ["abort", "loadend"]
    assert refused["status"] == 400


_TRY = """
  async ([own, strange]) => {
    const load = (url, abortAt) => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const seen = { events: [], progress: [] };
      for (const name of ["loadstart", "load", "error", "abort", "loadend"])
        request.addEventListener(name, () => seen.events.push(name));
      let isCarried = false;
      request.upload.onprogress = ({ loaded }) => {
        if (loaded === 0) { isCarried = true; seen.progress.length = 0; }
        seen.progress.push(loaded);
        if (isCarried && abortAt && loaded >= abortAt) request.abort();
      };
      request.open("PUT", url);
      const xsrf = document.cookie.match(/_streamlit_xsrf=([^;]*)/);
      request.setRequestHeader("X-Xsrftoken", decodeURIComponent(xsrf[1]));
      request.onloadend = () =>
        setTimeout(() => resolve({ ...seen, status: request.status }), 500);
      const form = new FormData();
      form.append("file", new Blob([new Uint8Array(3_000_000)]), "zeros.bin");
      request.send(form);
    });
    return [await load(own, 0), await load(own, 1_000_000), await load(strange, 0)];
  }
"""
