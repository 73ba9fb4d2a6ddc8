"""nginx replaces a path with a slash by one without, or by another one, in Chromium."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stlaunch.proxies.needs import Product
from tests.harness.browser import Visit
from tests.harness.journeys import smoke
from tests.harness.proxies import start_proxy
from tests.harness.site import BASE, start_app

pytestmark = [pytest.mark.browser, pytest.mark.proxy]


def _towards(path: str) -> Callable[[str], str]:
    def edit(config: str) -> str:
        line = next(line for line in config.splitlines() if "proxy_pass " in line)
        upstream = line.split("proxy_pass ")[1].rstrip("/;")
        return config.replace(line, f"            proxy_pass {upstream}{path};")

    return edit


@pytest.mark.parametrize(
    ("setup", "path", "flags"),
    [
        ("recommended", BASE, ()),
        ("blog", BASE, ()),
        ("recommended", "/other/", ("--server.baseUrlPath", "other")),
    ],
    ids=["glued", "glued, bare", "another base path"],
)
def test_the_app_works_wherever_the_path_leads(
    visit: Visit, setup: str, path: str, flags: tuple[str, ...]
) -> None:
    """Renders, clicks, uploads; a page opened by its address; one line names the slash."""
    with (
        start_app(*flags) as server,
        start_proxy(
            Product.NGINX, setup, server.port, keep_prefix=False, edit=_towards(path)
        ) as proxy,
    ):
        smoke(visit, proxy.url)
        log = server.log()

    assert log.count("STL215") == (path == BASE)
    assert "STL214" not in log
