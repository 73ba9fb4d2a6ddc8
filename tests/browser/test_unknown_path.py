"""`--behind-proxy` without a path: the public path is found out, whatever the proxy does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import count_to, open_first_page, smoke, survive_restart
from tests.harness.ports import free_port
from tests.harness.proxies import start_proxy
from tests.harness.server import stlaunch_app

pytestmark = [pytest.mark.browser, pytest.mark.proxy]


@pytest.mark.parametrize("keep_prefix", [False, True], ids=["stripped", "kept"])
@pytest.mark.parametrize("setup", ["recommended", "blog"])
def test_smoke_journey_with_unknown_path(
    visit: Visit, hello_app: Path, setup: str, *, keep_prefix: bool
) -> None:
    """The app works though nobody said where it is, and though its second page opens first."""
    with (
        stlaunch_app(hello_app, free_port(), "--behind-proxy") as server,
        start_proxy("nginx", setup, server.port, keep_prefix=keep_prefix) as proxy,
    ):
        visit.page.goto(f"{proxy.url}second_page")
        visit.page.get_by_role("heading", name="Second page").wait_for()
        smoke(visit, proxy.url)


def test_open_tab_survives_a_restart_with_a_warm_cache(visit: Visit, hello_app: Path) -> None:
    """A tab asks for no files after a restart: the path that was learned is remembered."""
    with (
        stlaunch_app(hello_app, free_port(), "--behind-proxy") as server,
        start_proxy("nginx", "recommended", server.port, keep_prefix=True) as proxy,
    ):
        open_first_page(visit, proxy.url)
        count_to(visit, 1)
        survive_restart(visit, proxy.url, server.restart)
