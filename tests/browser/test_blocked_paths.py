"""The app works where a proxy's rules keep the page from asking its server first, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.harness.broken_nginx import start_broken
from tests.harness.browser import Visit
from tests.harness.journeys import TITLE, count_to, open_first_page, reconnects_after, smoke
from tests.harness.server import RunningServer
from tests.harness.site import BASE, start_app

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

CORE = f"location {BASE}/_stcore/"
HEALTH = f"location = {BASE}/_stcore/health"
HOST_CONFIG = f"location = {BASE}/_stcore/host-config"
UPLOAD = f"location {BASE}/_stcore/upload_file"
RULES = {
    **{f"health {status}": f"{HEALTH} {{ return {status}; }}" for status in (403, 404, 503)},
    **{f"config {status}": f"{HOST_CONFIG} {{ return {status}; }}" for status in (403, 404, 503)},
    **{f"core {status}": f"{CORE} {{ return {status}; }}" for status in (403, 404, 503)},
    **{f"upload {status}": f"{UPLOAD} {{ return {status}; }}" for status in (403, 404, 405)},
    "health is the proxy's own": f'{HEALTH} {{ default_type text/plain; return 200 "fine"; }}',
    "config is a page": f'{HOST_CONFIG} {{ default_type text/html; return 200 "<p>Welcome"; }}',
    "core is a page": f'{CORE} {{ default_type text/html; return 200 "<p>Welcome"; }}',
    "core leads elsewhere": f"{CORE} {{ return 302 /login; }}",
}
"""Extra lines next to the recommended ones, by a name of their own."""


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_app_works_whatever_a_rule_blocks(
    visit: Visit, server: RunningServer, rule: str
) -> None:
    """Renders, clicks, uploads, and its second page opens directly by its address."""
    with start_broken("healthy", server.port, rules=rule) as proxy:
        smoke(visit, proxy.url)


@pytest.mark.parametrize("rule", ["health 403", "core 404"])
def test_blocked_pings_show_no_error_and_stop_no_reconnect(visit: Visit, rule: str) -> None:
    """Streamlit pings on for as long as it gets no answer: after six it would show an error."""
    with start_app() as server, start_broken("healthy", server.port, rules=RULES[rule]) as proxy:
        open_first_page(visit, proxy.url)
        run = visit.page.get_by_text(re.compile(r"^Server run \w+$"))
        before = run.inner_text()
        reconnects_after(visit, server.restart)
        visit.page.get_by_role("button", name="Count", exact=True).click()
        expect(run).not_to_have_text(before)

        assert not visit.page.get_by_text("Connection error").is_visible()


def test_a_host_page_keeps_its_own_configuration(visit: Visit, server: RunningServer) -> None:
    """What `window.__streamlit` held before is not replaced; what it lacks comes from the app."""
    own = {"allowedOrigins": ["https://host.example"], "useExternalAuthToken": False}
    visit.page.add_init_script(
        f"window.__streamlit = {{ HOST_CONFIG: {own!r} }};".replace("False", "false")
    )
    with start_broken("healthy", server.port) as proxy:
        open_first_page(visit, proxy.url)
        count_to(visit, 1)
        config = visit.page.evaluate("window.__streamlit.HOST_CONFIG")
        visit.page.get_by_role("heading", name=TITLE).wait_for()

    assert config == own


def test_the_page_carries_what_the_app_says(visit: Visit, server: RunningServer) -> None:
    """The configuration in the page is the app's own, to the letter."""
    with start_broken("healthy", server.port) as proxy:
        open_first_page(visit, proxy.url)
        carried = visit.page.evaluate("window.__streamlit.HOST_CONFIG")
        asked = visit.page.evaluate(
            "async (url) => (await fetch(url)).json()", f"{BASE}/_stcore/host-config"
        )

    assert carried == asked
    assert carried["allowedOrigins"]
