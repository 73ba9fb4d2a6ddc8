"""An unmodified app behind every proxy, stripped and kept, over http and https, in Chromium."""

from __future__ import annotations

import re

import pytest

from tests.browser.cases import Case, case_name
from tests.harness.browser import Visit
from tests.harness.journeys import full, smoke
from tests.harness.proxies import CHAIN, CHAIN_LOSING_SCHEME, start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import start_site
from tests.harness.tls import Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

KINDS = ("nginx", "nginx-1.22", "caddy", "traefik", "haproxy", "envoy", "apache")
SMOKE = [
    # What each proxy's own documentation recommends, over http; stripped and kept over https, it is
    # what `test_generated` shows, and `test_generated_check` without a browser.
    *[(kind, "recommended", True, False) for kind in KINDS],
    # The configurations of a well-known blog post, which rewrite Host.
    ("nginx", "three-lines", False, False),
    ("nginx", "blog-stream", False, True),
    ("nginx-1.22", "three-lines", False, True),
    ("nginx-1.22", "blog-stream", False, False),
    # Two hops; in the last one the inner hop claims http.
    (CHAIN, "recommended", False, True),
    (CHAIN, "three-lines", True, False),
    (CHAIN_LOSING_SCHEME, "recommended", False, True),
]
FULL = [
    ("nginx", "three-lines", True, False),
    ("traefik", "recommended", False, True),
]

# nginx takes bodies of 1 MB unless told otherwise: the refused attempt is red, its pieces are not.
BODY_LIMIT = re.compile(r"status of 413|/_stcore/upload_file/.*: 413")


@pytest.mark.parametrize("case", SMOKE, ids=case_name)
def test_smoke_journey(visit: Visit, server: RunningServer, tls: Tls, case: Case) -> None:
    """The page renders, a button counts, an upload arrives, the second page opens directly."""
    kind, setup, keep_prefix, is_https = case
    with start_proxy(
        kind, setup, server.port, keep_prefix=keep_prefix, tls=tls if is_https else None
    ) as proxy:
        smoke(visit, proxy.url)


@pytest.mark.whole_chromium
@pytest.mark.parametrize("case", FULL, ids=case_name)
def test_full_journey(visit: Visit, tls: Tls, case: Case) -> None:
    """Everything that a user does works, a restart of the server included."""
    kind, setup, keep_prefix, is_https = case
    with start_site(kind, setup, keep_prefix=keep_prefix, tls=tls if is_https else None) as site:
        full(visit, site.url, restart=site.server.restart, allow=BODY_LIMIT)
