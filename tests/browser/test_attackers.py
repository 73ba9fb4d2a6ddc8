"""Pages of others try to open the app's WebSocket, in Chromium, through real proxies.

Most proxies here rewrite Host (`three-lines`), so only the origin proof separates friend from foe.
What it inherently cannot keep out is documented by a test and in the README.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import count_to, open_first_page, opens_websocket
from tests.harness.ports import free_port
from tests.harness.proxies import RunningProxy, start_proxy
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.tls import APP_HOST, OTHER_HOST, SIBLING_HOST, Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

NBSP = "\xa0"
CLOSED = [
    ("three-lines", ["--public-url", "http://app.example.test:{port}/streamlitApp"]),
    ("recommended", ["--origin-check", "strict"]),
]
CLOSED_IDS = ["public-url", "strict"]


@pytest.fixture(scope="module")
def plain(server: RunningServer) -> Iterator[RunningProxy]:
    with start_proxy("nginx", "three-lines", server.port, keep_prefix=False) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def secure(server: RunningServer, tls: Tls) -> Iterator[RunningProxy]:
    with start_proxy("nginx", "three-lines", server.port, keep_prefix=False, tls=tls) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def recommended(server: RunningServer, tls: Tls) -> Iterator[RunningProxy]:
    with start_proxy("nginx", "recommended", server.port, keep_prefix=False, tls=tls) as proxy:
        yield proxy


@pytest.mark.parametrize("front", ["plain", "secure", "recommended"])
def test_another_site_is_refused(
    visit: Visit, front: str, tls: Tls, request: pytest.FixtureRequest
) -> None:
    """A page of another site cannot open the socket, though the victim uses the app.

    Nor with a token that belongs to somebody else: the attacker reads the page as a program does
    and replays what it says from the victim's browser.
    """
    proxy: RunningProxy = request.getfixturevalue(front)
    site = f"{proxy.scheme}://{OTHER_HOST}/"
    _, tokens = _fetch_own_page(proxy, tls)
    visit.page.goto(proxy.url)

    without = _attack(visit, proxy, site, [])
    replayed = _attack(visit, proxy, site, tokens)

    assert (without, replayed) == ("refused", "refused")
    _still_works(visit, proxy)


def test_another_site_opens_no_upload(visit: Visit, plain: RunningProxy, tls: Tls) -> None:
    """Nor does a sandboxed frame: with tokens of its own, and with those of the victim's page."""
    _, tokens = _fetch_own_page(plain, tls)
    visit.page.goto(plain.url)
    text = visit.page.locator("script[data-base]").first.get_attribute("data-tokens") or ""
    own = [f"stlaunch.{token}" for token in text.split()]
    site = f"http://{OTHER_HOST}/"
    outcomes = [
        opens_websocket(
            visit.page, site, _stream(plain), ["stlaunch-upload", *offered], stand_in=True
        )
        for offered in ([], tokens)
    ]
    visit.page.unroute_all()
    outcomes.append(
        opens_websocket(
            visit.page, plain.url, _stream(plain), ["stlaunch-upload", *own], sandboxed=True
        )
    )

    assert len(own) == 2
    assert outcomes == ["refused"] * 3
    _still_works(visit, plain)


def test_a_sibling_that_evicts_and_plants_cookies_is_refused_over_https(
    visit: Visit, secure: RunningProxy, tls: Tls
) -> None:
    """A sibling domain may fill the cookie jar and plant its own ids: over https it stays out."""
    ids, tokens = _fetch_own_page(secure, tls)
    visit.page.goto(secure.url)
    sibling = f"https://{SIBLING_HOST}/"
    before = _attack(visit, secure, sibling, tokens)
    visit.page.evaluate(
        """([plain, host]) => {
          const place = "; Domain=example.test; Path=/; Secure";
          for (let n = 0; n < 400; n += 1) document.cookie = `junk${n}=1${place}`;
          document.cookie = `stlaunch=${plain}${place}`;
          document.cookie = `__Host-stlaunch=${host}${place}`;
          document.cookie = `=__Host-stlaunch=${host}${place}`;
          document.cookie = `__host-stlaunch=${host}${place}`;
          document.cookie = `\u00a0__Host-stlaunch=${host}${place}`;
          return document.cookie;
        }""",
        [ids["stlaunch"], ids["__Host-stlaunch"]],
    )
    jar = {(str(c["name"]), str(c["value"])) for c in visit.context.cookies(secure.url)}
    after = _attack(visit, secure, sibling, tokens)

    assert (before, after) == ("refused", "refused")
    assert ("stlaunch", ids["stlaunch"]) in jar, "nothing was planted"
    assert "__Host-stlaunch" not in {name for name, _ in jar}, "nothing was evicted"
    _still_works(visit, secure)


@pytest.mark.parametrize("space", [NBSP, "\x85"], ids=["nbsp", "nel"])
def test_a_sibling_cannot_plant_a_host_cookie_by_its_header(
    visit: Visit, secure: RunningProxy, tls: Tls, space: str
) -> None:
    """A byte in front of `__Host-` takes the prefix's protection away; so it is another name.

    Chromium stores the byte as it came and sends it back. Python's `str.strip` calls it a space.
    """
    ids, tokens = _fetch_own_page(secure, tls)
    planted = f"{space}__Host-stlaunch={ids['__Host-stlaunch']}; Domain=example.test; Path=/"
    with _attackers_server(SIBLING_HOST, tls, set_cookie=planted) as sibling:
        visit.page.goto(sibling.url)
        outcome = _attack_from(visit, secure, sibling, tokens)

    assert len(visit.context.cookies(secure.url)) == 1, "nothing was planted"
    assert outcome == "refused"


def test_a_sandboxed_frame_is_refused(visit: Visit, plain: RunningProxy) -> None:
    """`Origin: null` proves nothing, not even with the tokens of the page that it stands in."""
    visit.page.goto(plain.url)
    text = visit.page.locator("script[data-base]").first.get_attribute("data-tokens") or ""
    tokens = [f"stlaunch.{token}" for token in text.split()]

    outcome = opens_websocket(
        visit.page, plain.url, _stream(plain), ["streamlit", *tokens], sandboxed=True
    )

    assert len(tokens) == 2
    assert outcome == "refused"
    _still_works(visit, plain)


@pytest.mark.parametrize(("setup", "flags"), CLOSED, ids=CLOSED_IDS)
def test_another_port_of_the_same_name_is_refused_on_request(
    visit: Visit, hello_app: Path, tls: Tls, setup: str, flags: list[str]
) -> None:
    """`--public-url` and `--origin-check strict` close what remains by nature.

    The server on the other port gets every cookie, and no token for it under strict; with a public
    URL a token only shows that a loopback page is the app's own. A sibling over plain http stays
    out as well.
    """
    with _own_server(hello_app, setup, flags) as proxy, _attackers_server(APP_HOST) as thief:
        visit.page.goto(proxy.url)
        visit.page.goto(thief.url)
        tokens = _fetch_tokens(proxy, tls, cookie=thief.cookies[0])
        other_port = _attack_from(visit, proxy, thief, tokens)
        sibling = _attack(visit, proxy, f"http://{SIBLING_HOST}/", tokens)
        _still_works(visit, proxy)

    assert bool(tokens) == ("--public-url" in flags)
    assert (other_port, sibling) == ("refused", "refused")


def test_another_port_of_the_same_name_gets_in_by_nature(
    visit: Visit, server: RunningServer, plain: RunningProxy, tls: Tls
) -> None:
    """Cookies ignore ports: that server receives the victim's cookie and fetches a token for it.

    Said in the README and in the banner.
    """
    visit.page.goto(plain.url)
    with _attackers_server(APP_HOST) as thief:
        visit.page.goto(thief.url)
        without = _attack_from(visit, plain, thief, [])
        tokens = _fetch_tokens(plain, tls, cookie=thief.cookies[0])
        outcome = _attack_from(visit, plain, thief, tokens)

    assert (without, outcome) == ("refused", "open")
    assert "not against another port of this host" in server.log()
    _still_works(visit, plain)


def test_a_sibling_gets_in_over_plain_http_by_nature(
    visit: Visit, plain: RunningProxy, tls: Tls
) -> None:
    """Without https any sibling can plant a cookie whose token it knows. Said in the README."""
    ids, tokens = _fetch_own_page(plain, tls)
    visit.page.goto(plain.url)
    sibling = f"http://{SIBLING_HOST}/"
    before = _attack(visit, plain, sibling, tokens)
    visit.page.evaluate(
        "id => { document.cookie = `stlaunch=${id}; Domain=example.test; Path=/streamlitApp`; }",
        ids["stlaunch"],
    )

    after = _attack(visit, plain, sibling, tokens)

    assert (before, after) == ("refused", "open")
    _still_works(visit, plain)


def test_no_other_site_gets_a_token(visit: Visit, plain: RunningProxy) -> None:
    """It cannot read a token, and no form, image or script makes the server give one out."""
    url = f"{plain.url}_stlaunch/token"
    visit.page.goto(plain.url)
    own = visit.page.evaluate(
        "async url => (await fetch(url, {headers: {'X-Stlaunch': '1'}})).status", url
    )
    _goto_attacker(visit, f"http://{OTHER_HOST}/")

    read = visit.page.evaluate(_READ_TOKEN, url)
    embedded = visit.page.evaluate(_EMBED_TOKEN, url)
    answers = set()
    for method in ("GET", "POST"):
        with visit.page.expect_response(lambda response: response.url.startswith(url)) as answer:
            visit.page.evaluate(_SUBMIT_FORM, [url, method])
        answers.add((answer.value.status, answer.value.header_value("set-cookie")))

    assert own == 200
    assert read == ["blocked", "blocked", "nothing"]
    assert embedded == ["error", "error"]
    assert answers == {(403, None), (405, None)}, "GET and POST, without a cookie"
    _still_works(visit, plain)


# --- the attackers' tools

_READ_TOKEN = """
async (url) => {
  const read = async (options) => {
    try { return (await (await fetch(url, options)).text()) || "nothing"; }
    catch { return options.mode === "no-cors" ? "nothing" : "blocked"; }
  };
  return Promise.all([
    read({credentials: "include"}),
    read({credentials: "include", headers: {"X-Stlaunch": "1"}}),
    read({credentials: "include", mode: "no-cors", headers: {"X-Stlaunch": "1"}}),
  ]);
}
"""

_EMBED_TOKEN = """
(url) => Promise.all(["img", "script"].map((name) => new Promise((resolve) => {
  const element = document.createElement(name);
  element.onload = () => resolve("loaded");
  element.onerror = () => resolve("error");
  element.src = url;
  document.body.append(element);
})))
"""

_SUBMIT_FORM = """
([url, method]) => {
  const frame = document.createElement("iframe");
  frame.name = `frame-${method}`;
  const form = document.createElement("form");
  form.method = method;
  form.action = `${url}?X-Stlaunch=1`;
  form.target = frame.name;
  document.body.append(frame, form);
  form.submit();
}
"""


class _AttackersServer(ThreadingHTTPServer):
    """Serves an empty page at any address and keeps the cookies that browsers send it."""

    daemon_threads = True

    def __init__(self, host: str, tls: Tls | None, set_cookie: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _AttackersPage)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://{host}:{self.server_port}/"
        self.set_cookie = set_cookie
        self.cookies: list[str] = []


class _AttackersPage(BaseHTTPRequestHandler):
    server: _AttackersServer

    def do_GET(self) -> None:
        self.server.cookies.append(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.server.set_cookie:
            self.send_header("Set-Cookie", self.server.set_cookie)  # as latin-1
        self.end_headers()
        self.wfile.write(b"<!doctype html><p>A site")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _attackers_server(
    host: str, tls: Tls | None = None, *, set_cookie: str | None = None
) -> Iterator[_AttackersServer]:
    with _AttackersServer(host, tls, set_cookie) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _attack(visit: Visit, proxy: RunningProxy, page_url: str, tokens: list[str]) -> str:
    """Open the stream from a page of a site that needs no server."""
    outcome = opens_websocket(
        visit.page, page_url, _stream(proxy), ["streamlit", *tokens], stand_in=True
    )
    visit.page.unroute_all()
    return outcome


def _attack_from(
    visit: Visit, proxy: RunningProxy, server: _AttackersServer, tokens: list[str]
) -> str:
    """Open the stream from a page of the attacker's own server."""
    return opens_websocket(visit.page, server.url, _stream(proxy), ["streamlit", *tokens])


def _still_works(visit: Visit, proxy: RunningProxy) -> None:
    """The app's own page works in the same browser after every attack."""
    open_first_page(visit, proxy.url)
    count_to(visit, 1)


def _goto_attacker(visit: Visit, url: str) -> None:
    visit.page.route(
        url, lambda route: route.fulfill(content_type="text/html", body="<!doctype html>")
    )
    visit.page.goto(url)


def _stream(proxy: RunningProxy) -> str:
    return proxy.url.replace("http", "ws", 1) + "_stcore/stream"


def _fetch_own_page(proxy: RunningProxy, tls: Tls) -> tuple[dict[str, str], list[str]]:
    """Fetch the page as a program does; return the ids and the tokens of its two cookies."""
    body, headers = _fetch(proxy, tls, "", {})
    ids = dict(line.partition(";")[0].split("=", 1) for line in headers.get_all("Set-Cookie", []))
    found = re.search(r'data-tokens="([^"]+)"', body)
    assert found is not None
    return ids, [f"stlaunch.{token}" for token in found[1].split()]


def _fetch_tokens(proxy: RunningProxy, tls: Tls, *, cookie: str) -> list[str]:
    """Fetch tokens for a cookie as a program does; none where the app gives none out."""
    try:
        body, _ = _fetch(proxy, tls, "_stlaunch/token", {"X-Stlaunch": "1", "Cookie": cookie})
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 404:
            raise
        return []
    return [f"stlaunch.{token}" for token in json.loads(body)["tokens"]]


def _fetch(
    proxy: RunningProxy, tls: Tls, path: str, headers: dict[str, str]
) -> tuple[str, HTTPMessage]:
    url = proxy.url_for("127.0.0.1") + path
    context = tls.client_context() if proxy.scheme == "https" else None
    request = urllib.request.Request(url, headers={"Host": f"{APP_HOST}:{proxy.port}", **headers})
    with urllib.request.urlopen(request, context=context, timeout=60) as response:
        return response.read().decode(), response.headers


@contextmanager
def _own_server(app: Path, setup: str, flags: list[str]) -> Iterator[RunningProxy]:
    """Start a server whose flags name the port of the proxy in front of it."""
    port = free_port()
    with start_proxy("nginx", setup, port, keep_prefix=False) as proxy:
        own = [flag.format(port=proxy.port) for flag in flags]
        behind = [] if "--public-url" in own else ["--behind-proxy", "/streamlitApp"]
        with stlaunch_app(app, port, *behind, *own):
            yield proxy
