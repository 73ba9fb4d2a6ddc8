"""`--behind-proxy` without a path: the public path is detected, whatever the proxy does."""

from __future__ import annotations

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import count_to, open_first_page, smoke, survive_restart
from tests.harness.site import start_site

pytestmark = [pytest.mark.browser, pytest.mark.proxy]


@pytest.mark.parametrize("keep_prefix", [False, True], ids=["stripped", "kept"])
@pytest.mark.parametrize("setup", ["recommended", "blog"])
def test_smoke_journey_with_unknown_path(visit: Visit, setup: str, *, keep_prefix: bool) -> None:
    """The app works without a configured path, even if its second page opens first."""
    with start_site("nginx", setup, behind="", keep_prefix=keep_prefix) as site:
        visit.page.goto(f"{site.url}second_page")
        visit.page.get_by_role("heading", name="Second page").wait_for()
        smoke(visit, site.url)


def test_open_tab_survives_a_restart_with_a_warm_cache(visit: Visit) -> None:
    """A tab asks for no files after a restart: the path that was learned is remembered."""
    with start_site("nginx", "recommended", behind="", keep_prefix=True) as site:
        open_first_page(visit, site.url)
        count_to(visit, 1)
        survive_restart(visit, site.url, site.server.restart)
