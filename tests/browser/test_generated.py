"""What `stlaunch proxy` prints, run by the real proxies: Chromium renders, clicks and uploads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.harness.browser import Visit
from tests.harness.generated import (
    RUNNABLE,
    WITHOUT_AFFINITY,
    generated_site,
    start_generated,
)
from tests.harness.journeys import (
    LARGE_BYTES,
    SECOND_TITLE,
    console_is_clean,
    count_to,
    open_first_page,
    sees_title,
    upload,
    wave_to,
)
from tests.harness.server import RunningServer
from tests.harness.site import start_app
from tests.harness.tls import APP_HOST, Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

REPLICAS = 3


@pytest.fixture(scope="module")
def servers() -> Iterator[list[RunningServer]]:
    """Three replicas of one app."""
    with ExitStack() as stack:
        yield [stack.enter_context(start_app("--prefix", "both")) for _ in range(REPLICAS)]


# The kept path is tried with three replicas, below.
MODES = [
    *(pytest.param(name, False, id=f"{name}-stripped") for name in RUNNABLE),
    *(pytest.param(name, True, id=f"{name}-kept") for name in sorted(WITHOUT_AFFINITY)),
]


@pytest.mark.parametrize(("name", "keep_prefix"), MODES)
def test_everything_works_over_one_websocket(
    visit: Visit, servers: list[RunningServer], tls: Tls, name: str, keep_prefix: bool
) -> None:
    """One app, https wherever the proxy speaks it, and nothing red in the console."""
    site = generated_site(name, [servers[0].port], keep_prefix=keep_prefix, is_https=True)
    with start_generated(name, site, tls if site.is_https else None) as proxy:
        use(visit, proxy.url_for(APP_HOST))


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in WITHOUT_AFFINITY])
def test_one_browser_stays_with_one_replica(
    visit: Visit, servers: list[RunningServer], tls: Tls, name: str
) -> None:
    """Three replicas; an upload, a picture and a session that met another one would fail."""
    ports = [server.port for server in servers]
    site = generated_site(name, ports, keep_prefix=True, is_https=True)
    with start_generated(name, site, tls if site.is_https else None) as proxy:
        url = proxy.url_for(APP_HOST)
        use(visit, url)
        met = {visit.page.evaluate(_INSTANCE, url) for _ in range(10)}

    assert len(met) == 1, met


_INSTANCE = """
async (url) => (await (await fetch(url + "_stlaunch/check")).json()).instance.id
"""


def use(visit: Visit, url: str) -> None:
    """Do what a user does, and see that no page fell back to plain requests."""
    open_first_page(visit, url.removesuffix("/"))
    count_to(visit, 1)
    upload(visit, LARGE_BYTES)
    visit.page.goto(f"{url}second_page")
    sees_title(visit, SECOND_TITLE, "the second page opened directly by its address")
    wave_to(visit, 1)
    console_is_clean(visit)

    assert any("/_stcore/stream" in socket for socket in visit.sockets), visit.sockets
    assert not visit.asked("/_stlaunch/tunnel")
