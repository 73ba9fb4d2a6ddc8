"""One corpus of spellings of closed paths, through every generated configuration, to a real app.

What matters is what both make of a path together: the proxy that compares it, and the app that
serves it.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stlaunch.urls.streamlit_routes import DIAGNOSTICS
from tests.harness.generated import RUNNABLE, generated_site, start_generated
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.tls import APP_HOST

pytestmark = [pytest.mark.proxy, pytest.mark.unmeasured]

BASE = "/streamlitApp"
CLOSED = ("_stcore/metrics", *(f"_stlaunch/{name}" for name in DIAGNOSTICS))
SPELLINGS = (
    "/{0}/{1}",
    "/{0}/{1}/",
    "/{0}//{1}",
    "/{0}/{1}//",
    "//{0}/{1}",
    "/{0}/%2f{1}",
    "/{0}/{1}%2f",
    "/{0}/{1}%2F%2F",
    "/{0}%2f{1}",
    "%2f{0}/{1}",
    "/./{0}/{1}",
    "/{0}/./{1}",
    "/{0}/x/../{1}",
    "/x/%2e%2e/{0}/{1}",
    "/{0}/{1};x=1",
    "/{0}/{1}%00",
    "/{0}/{1}%0a",
    "/{0}/{1}%20",
    "/%5f{2}/{1}",
    "/{0}/{1}?a=b",
    BASE + "/{0}/{1}",
    "/" + BASE + "/{0}/{1}",
    "/." + BASE + "/{0}/{1}",
    "/%73treamlitApp/{0}/{1}",
    # Below the paths of Streamlit where the page finds what it needs of ours.
    "/_stcore/stlaunch/{1}",
    "/_stcore/stlaunch//{1}",
    "/_stcore/stlaunch/%2f{1}",
    "/_stcore/stlaunch/{0}/{1}",
    "/_stcore/stlaunch/../../{0}/{1}",
    "/_stcore/stlaunch/%2e%2e/%2e%2e/{0}/{1}",
    "/_stcore/stlaunch/..%2f..%2f{0}/{1}",
    "/_stcore/upload_file/stlaunch/{1}",
    "/_stcore/upload_file/stlaunch/{0}/{1}",
    "/static/stlaunch/{1}",
    "/static/stlaunch/../../{0}/{1}",
    "/static/stlaunch/start.js/{1}",
    "/static/stlaunch/{0}/{1}",
    "{0}/{1}",
    BASE + "{0}/{1}",
)
# Beside the public path: nobody's but the app's, where the proxy hands all paths on.
OUTSIDE = ("/{0}/{1}", "//{0}/{1}")
OPEN = ("_stlaunch/health", "_stlaunch/page.js", "_stcore/health", "static/stlaunch/page.js")
REFUSED = {301, 302, 303, 307, 308, 400, 403, 404, 405}


@pytest.fixture(scope="module", params=["kept", "stripped"])
def app(request: pytest.FixtureRequest, hello_app: Path) -> Iterator[tuple[RunningServer, bool]]:
    """The app, configured for what the proxy does."""
    flags = ("--behind-proxy", BASE, "--prefix", request.param)
    with stlaunch_app(hello_app, free_port(), *flags) as server:
        yield server, request.param == "kept"


@pytest.mark.parametrize("name", RUNNABLE)
def test_no_spelling_opens_a_closed_path(name: str, app: tuple[RunningServer, bool]) -> None:
    server, is_kept = app
    site = generated_site(name, [server.port], keep_prefix=is_kept, is_https=False)
    site = replace(site, self_check_from=())
    with start_generated(name, site, None) as proxy:
        served = [path for path in OPEN if _status(proxy.port, f"{BASE}/{path}") == 200]
        found = {
            path: status
            for closed in CLOSED
            for spelling in (*(BASE + below for below in SPELLINGS), *OUTSIDE)
            for path in [_spell(spelling, closed)]
            if (status := _status(proxy.port, path)) not in REFUSED
        }

    assert served == list(OPEN)
    assert not found


def _spell(spelling: str, closed: str) -> str:
    folder, name = closed.split("/")
    return spelling.format(folder, name, folder.removeprefix("_"))


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": f"{APP_HOST}:{port}"})
        answer = connection.getresponse()
        body = answer.read()
        # Streamlit's first page, as for any path that is nothing: it is the page of nobody's name.
        is_page = b"<title>Streamlit</title>" in body
        # What reaches no app: Caddy answers it with an empty 200, HAProxy with its own 503.
        is_nobody = not body or (
            answer.status == 503 and "503 Service Unavailable" in body.decode()
        )
        return http.HTTPStatus.NOT_FOUND if is_page or is_nobody else answer.status
    finally:
        connection.close()
