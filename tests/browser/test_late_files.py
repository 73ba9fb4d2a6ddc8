"""Files that a proxy refuses for a while leave no page blank or broken, in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from stlaunch.proxies.needs import Product
from tests.harness.broken_nginx import start_switched
from tests.harness.browser import Visit
from tests.harness.journeys import chart_draws, count_to, open_first_page
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

ZONE = "    limit_req_zone $binary_remote_addr zone=visitors:1m rate=4r/s;\n"
LIMIT = """            limit_req zone=visitors burst=20 nodelay;
            limit_req_status {0};
            error_page {0} = @limited;
"""
ANSWER = "        location @limited {{ add_header Retry-After {1} always; return {0}; }}\n"


@pytest.mark.parametrize(("status", "retry_after"), [(429, "1"), (503, '""')])
def test_a_limited_page_says_so_and_loads(
    visit: Visit, server: RunningServer, status: int, retry_after: str
) -> None:
    """The notice names the code; the page loads, works, and the notice is gone."""

    def edit(config: str) -> str:
        line = "        location /streamlitApp/ {\n"
        assert line in config
        config = config.replace(line, line + LIMIT.format(status), 1)
        config = config.replace("    server {\n", f"{ZONE}    server {{\n", 1)
        return config.replace(line, ANSWER.format(status, retry_after) + line, 1)

    with start_proxy(
        Product.NGINX, "recommended", server.port, keep_prefix=False, edit=edit
    ) as proxy:
        visit.page.goto(proxy.url)
        notice = visit.page.locator("#stlaunch-notice")
        expect(notice).to_contain_text("Code STL611", timeout=30_000)
        expect(notice).to_contain_text(str(status))
        again = visit.page.get_by_role("button", name="Load again")
        count = visit.page.get_by_role("button", name="Count", exact=True)

        def is_whole() -> bool:
            if again.is_visible():  # some files came late, after the page had connected
                again.click()
            return count.is_visible() and not notice.is_visible()

        visit.wait_until(is_whole)
        count_to(visit, 1)


def test_an_element_whose_script_met_a_restart_can_be_loaded_again(
    visit: Visit, server: RunningServer
) -> None:
    """The page is connected all the time: to reload it by itself would lose what was entered."""
    with start_switched(server.port, "static/js/", 502) as (proxy, away):
        open_first_page(visit, proxy.url)
        away.touch()
        with visit.page.expect_response(lambda answer: answer.status == 502):
            visit.page.get_by_text("Show the waves as a chart").click()
        away.unlink()
        again = visit.page.get_by_role("button", name="Load again")
        expect(again).to_be_visible()
        expect(visit.page.locator("#stlaunch-notice")).to_contain_text("Code STL120")
        again.click()
        chart_draws(visit)
