"""Only what Streamlit itself needs is routed, everything else is 404, and Host is rewritten."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import LARGE_BYTES, SMALL_BYTES, count_to, open_first_page, upload
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import BASE

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

_REST = (f"{BASE}/static/", f"{BASE}/media/", f"{BASE}/component/")
PREFIXES = (f"= {BASE}/", f"{BASE}/_stcore/", *_REST)
EXACT = (
    f"= {BASE}/",
    f"= {BASE}/_stcore/health",
    f"= {BASE}/_stcore/host-config",
    f"= {BASE}/_stcore/stream",
    f"{BASE}/_stcore/upload_file/",
    *_REST,
)
# As a page from a shared cache has them; before the page script runs.
_TOKENS_OF_SOMEBODY_ELSE = """
  new MutationObserver(() => {
    const script = document.querySelector("script[data-tokens]");
    if (script && !("started" in script.dataset)) script.dataset.tokens = "a b";
  }).observe(document, { childList: true, subtree: true });
"""
_LOCATION = re.compile(r"( +)location /streamlitApp/ (\{.*?\n\1\})", re.DOTALL)


def _route_only(locations: tuple[str, ...], text: str) -> str:
    """Give each place the lines that the whole path had, and refuse the others."""
    found = _LOCATION.search(text)
    assert found is not None
    routes = "\n".join(f"{found[1]}location {place} {found[2]}" for place in locations)
    return text.replace(found[0], f"{routes}\n{found[1]}location / {{ return 404; }}")


@pytest.mark.parametrize("setup", ["three-lines", "blog"])
@pytest.mark.parametrize("locations", [PREFIXES, EXACT], ids=["prefixes", "exact"])
def test_the_app_works_with_what_streamlit_needs(
    visit: Visit, server: RunningServer, setup: str, locations: tuple[str, ...]
) -> None:
    """Page script, token, tunnel and pieces: over the WebSocket, and where none gets through.

    The page's tokens do not fit its cookies, so that it has to ask for others. nginx takes bodies
    of 1 MB, so that a larger file goes in pieces.
    """
    edit = partial(_route_only, locations)
    with start_proxy("nginx", setup, server.port, keep_prefix=True, edit=edit) as proxy:
        visit.page.add_init_script(_TOKENS_OF_SOMEBODY_ELSE)
        open_first_page(visit, proxy.url)
        count_to(visit, 1)
        upload(visit, SMALL_BYTES)
        upload(visit, LARGE_BYTES)
        count_to(visit, 2)

    assert bool(visit.asked("stlaunch/tunnel/")) == (setup == "blog")
    assert visit.asked("stlaunch/token")
    assert visit.asked("stlaunch/upload/")
    assert not visit.asked("/_stlaunch/tunnel/")
