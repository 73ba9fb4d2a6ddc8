"""Pages of others try to open the app's WebSocket, in Chromium, through real proxies.

All proxies here rewrite Host (`three-lines`), so the origin proof alone tells friend from foe.
What it cannot keep out by nature is documented by a test, and said in the README.
"""

from __future__ import annotations

import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import count_to, open_first_page, opens_websocket
from tests.harness.ports import free_port
from tests.harness.proxies import RunningProxy, start_proxy
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.tls import APP_HOST, OTHER_HOST, SIBLING_HOST, Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]


@pytest.fixture(scope="module")
def server(hello_app: Path) -> Iterator[RunningServer]:
    with stlaunch_app(hello_app, free_port(), "--behind-proxy", "/streamlitApp") as server:
        yield server


@pytest.fixture(scope="module")
def plain(server: RunningServer) -> Iterator[RunningProxy]:
    with start_proxy("nginx", "three-lines", server.port, keep_prefix=False) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def secure(server: RunningServer, tls: Tls) -> Iterator[RunningProxy]:
    with start_proxy("nginx", "three-lines", server.port, keep_prefix=False, tls=tls) as proxy:
        yield proxy


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_site_is_refused(visit: Visit, scheme: str, request: pytest.FixtureRequest) -> None:
    """A page of another site cannot open the socket, though the victim uses the app."""
    proxy: RunningProxy = request.getfixturevalue("secure" if scheme == "https" else "plain")
    open_first_page(visit, proxy.url)

    refused = _attack(visit, proxy, f"{scheme}://{OTHER_HOST}/", ["streamlit"])
    open_first_page(visit, proxy.url)
    count_to(visit, 1)

    assert refused == "refused"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_somebody_elses_token_is_refused(
    visit: Visit, scheme: str, tls: Tls, request: pytest.FixtureRequest
) -> None:
    """The attacker reads the page himself and replays his own token from the victim's browser."""
    proxy: RunningProxy = request.getfixturevalue("secure" if scheme == "https" else "plain")
    _, tokens = _fetch_own_page(proxy, tls)
    open_first_page(visit, proxy.url)

    outcome = _attack(visit, proxy, f"{scheme}://{OTHER_HOST}/", ["streamlit", *tokens])

    assert outcome == "refused"


def test_a_sibling_that_plants_and_evicts_cookies_is_refused_over_https(
    visit: Visit, secure: RunningProxy, tls: Tls
) -> None:
    """A sibling domain may fill the cookie jar and plant its own id: over https it stays out."""
    ids, tokens = _fetch_own_page(secure, tls)
    open_first_page(visit, secure.url)
    attacker = f"https://{SIBLING_HOST}/"
    before = _attack(visit, secure, attacker, ["streamlit", *tokens])
    visit.page.evaluate(
        """(id) => {
          for (let n = 0; n < 400; n += 1) document.cookie = `junk${n}=1; Domain=example.test`;
          document.cookie = `stlaunch=${id}; Domain=example.test; Path=/; SameSite=None; Secure`;
        }""",
        ids["stlaunch"],
    )
    names = {cookie["name"] for cookie in visit.context.cookies(secure.url)}
    after = _attack(visit, secure, attacker, ["streamlit", *tokens])

    assert "stlaunch" in names
    assert (before, after) == ("refused", "refused")


def test_a_sandboxed_frame_is_refused(visit: Visit, plain: RunningProxy) -> None:
    """`Origin: null` proves nothing, not even from the app's own page."""
    page = open_and_read_tokens(visit, plain)

    outcome = opens_websocket(
        visit.page, plain.url, _stream(plain), ["streamlit", *page], sandboxed=True
    )

    assert outcome == "refused"


@pytest.mark.parametrize(
    ("setup", "flags"),
    [
        ("three-lines", ["--public-url", "http://app.example.test:{port}/streamlitApp"]),
        ("recommended", ["--origin-check", "strict"]),
    ],
    ids=["public-url", "strict"],
)
def test_another_port_of_the_same_name_is_refused_on_request(
    visit: Visit, hello_app: Path, setup: str, flags: list[str]
) -> None:
    """Cookies ignore ports, so this needs `--public-url` or `--origin-check strict`."""
    with _own_server(hello_app, setup, flags) as proxy:
        tokens = open_and_read_tokens(visit, proxy)
        visit.page.get_by_role("button", name="Count").wait_for()
        outcome = _attack(visit, proxy, f"http://{APP_HOST}:{free_port()}/", [
            "streamlit", *tokens,
        ])  # fmt: skip

    assert outcome == "refused"


def test_what_remains_by_nature(visit: Visit, plain: RunningProxy, tls: Tls) -> None:
    """Another port of the same host name receives the cookie and can fetch a token with it.

    So, over plain http, can a sibling that plants its own cookie. Both are said in the README and
    in the banner; `--public-url` and `--origin-check strict` close them.
    """
    open_first_page(visit, plain.url)
    (cookie,) = [c for c in visit.context.cookies(plain.url) if c["name"] == "stlaunch"]
    _, tokens = _fetch_own_page(plain, tls, cookie=f"stlaunch={cookie['value']}")

    other_port = _attack(visit, plain, f"http://{APP_HOST}:{free_port()}/", [
        "streamlit", *tokens,
    ])  # fmt: skip

    assert other_port == "open"


def test_no_other_site_reads_a_token(visit: Visit, plain: RunningProxy) -> None:
    """Neither fetch with the custom header (a preflight) nor without it gives an answer."""
    open_first_page(visit, plain.url)
    _goto_attacker(visit, f"http://{OTHER_HOST}/")

    outcomes = visit.page.evaluate(
        """async (url) => {
          const tries = [
            {credentials: "include"},
            {credentials: "include", headers: {"X-Stlaunch": "1"}},
            {mode: "no-cors", credentials: "include"},
          ];
          const read = async (options) => {
            try { return (await (await fetch(url, options)).text()).length; }
            catch { return "blocked"; }
          };
          return Promise.all(tries.map(read));
        }""",
        f"{plain.url}_stlaunch/token",
    )

    assert outcomes[:2] == ["blocked", "blocked"]
    assert outcomes[2] in {0, "blocked"}


def test_a_forged_forwarded_host_from_a_stranger_is_refused(hello_app: Path, visit: Visit) -> None:
    """Only trusted peers say what Host was; here nobody is one."""
    port = free_port()
    flags = ["--behind-proxy", "/streamlitApp", "--trusted-proxies", "none"]
    with stlaunch_app(hello_app, port, *flags) as server:
        status = _raw_handshake(
            port,
            {"Origin": "http://evil.test", "X-Forwarded-Host": "evil.test", "Cookie": "a=b"},
        )
        log = server.log()

    assert status == 403
    assert "STL501" in log
    assert visit.page.url == "about:blank"


# --- the attackers' tools


def open_and_read_tokens(visit: Visit, proxy: RunningProxy) -> list[str]:
    """Open the app and return the tokens that its page holds."""
    visit.page.goto(proxy.url)
    text = visit.page.locator("script[data-base]").first.get_attribute("data-tokens") or ""
    return [f"stlaunch.{token}" for token in text.split()]


def _attack(visit: Visit, proxy: RunningProxy, page_url: str, protocols: list[str]) -> str:
    outcome = opens_websocket(visit.page, page_url, _stream(proxy), protocols, stand_in=True)
    visit.page.unroute_all()
    return outcome


def _goto_attacker(visit: Visit, url: str) -> None:
    visit.page.route(
        url, lambda route: route.fulfill(content_type="text/html", body="<!doctype html>")
    )
    visit.page.goto(url)


def _stream(proxy: RunningProxy) -> str:
    return proxy.url.replace("http", "ws", 1) + "_stcore/stream"


def _fetch_own_page(
    proxy: RunningProxy, tls: Tls, *, cookie: str = ""
) -> tuple[dict[str, str], list[str]]:
    """Fetch the page as a program does; return the ids and the tokens of its two cookies."""
    url = proxy.url_for("127.0.0.1")
    headers = {"Host": f"{APP_HOST}:{proxy.port}", "Cookie": cookie}
    context: ssl.SSLContext | None = None
    if url.startswith("https"):
        context = tls.client_context()
        context.check_hostname = False
    page = urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=context)
    with page:
        body = page.read().decode()
        lines = page.headers.get_all("Set-Cookie")
    ids = dict(line.partition(";")[0].split("=", 1) for line in lines)
    found = re.search(r'data-tokens="([^"]+)"', body)
    assert found is not None
    return ids, [f"stlaunch.{token}" for token in found[1].split()]


def _raw_handshake(port: int, headers: dict[str, str]) -> int:
    lines = [
        "GET /streamlitApp/_stcore/stream HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(4096).split(b" ")[1])


@contextmanager
def _own_server(app: Path, setup: str, flags: list[str]) -> Iterator[RunningProxy]:
    """Start a server whose flags name the port of the proxy in front of it."""
    port = free_port()
    with start_proxy("nginx", setup, port, keep_prefix=False) as proxy:
        own = [flag.format(port=proxy.port) for flag in flags]
        behind = [] if "--public-url" in own else ["--behind-proxy", "/streamlitApp"]
        with stlaunch_app(app, port, *behind, *own):
            yield proxy
