"""The app works where no WebSocket gets through, in Chromium behind real proxies."""

from __future__ import annotations

import re

import pytest

from tests.browser.cases import Case, case_name
from tests.harness.browser import Visit
from tests.harness.journeys import full, smoke
from tests.harness.proxies import H2_CONNECT, HTTP_1_0, start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import start_site
from tests.harness.tls import Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

# Each product once; stripped and kept paths, http and https in turn.
SMOKE = [
    ("nginx", "blog", True, True),
    ("nginx-1.22", "blog", False, False),
    ("apache", "blog", True, True),
    (HTTP_1_0, "blog", False, False),
    ("varnish", "blog", False, False),
    ("lighttpd", "blog", True, False),
    (H2_CONNECT, "blog", False, True),
    (H2_CONNECT, "recommended", False, True),
]
FULL = [
    ("nginx", "blog", False, False),
    ("envoy", "blog", False, True),
]

# Browsers report the handshake that fails, and the large upload's first attempt.
WEBSOCKET_FAILS = re.compile(
    r"WebSocket connection to .* failed|status of 413|/_stcore/upload_file/.*: 413"
)


@pytest.mark.parametrize("case", SMOKE, ids=case_name)
def test_smoke_journey_without_websocket(
    visit: Visit, server: RunningServer, tls: Tls, case: Case
) -> None:
    """The page renders and works behind a proxy that lets no WebSocket through."""
    kind, setup, keep_prefix, is_https = case
    with start_proxy(
        kind, setup, server.port, keep_prefix=keep_prefix, tls=tls if is_https else None
    ) as proxy:
        smoke(visit, proxy.url)

    assert visit.asked("/_stlaunch/tunnel/"), "a WebSocket got through"


@pytest.mark.whole_chromium
@pytest.mark.parametrize("case", FULL, ids=case_name)
def test_full_journey_without_websocket(visit: Visit, tls: Tls, case: Case) -> None:
    """Everything that a user does works over the fallback, a restart of the server included."""
    kind, setup, keep_prefix, is_https = case
    with start_site(kind, setup, keep_prefix=keep_prefix, tls=tls if is_https else None) as site:
        full(visit, site.url, restart=site.server.restart, allow=WEBSOCKET_FAILS)

    assert visit.asked("/_stlaunch/tunnel/"), "a WebSocket got through"
