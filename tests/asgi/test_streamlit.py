"""The layers around a real Streamlit app, the oldest and the newest supported version."""

from __future__ import annotations

import gzip
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import stlaunch
from stlaunch import streamlit_adapter
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE, is_cookie_id
from stlaunch.streamlit_adapter import internals
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths
from tests.asgi.conftest import Wrap
from tests.asgi.driver import make, request

STREAM = "/app/_stcore/stream"
SECRETS = ["s3cret-cookie-value", "s3cret-key-value", "192.0.2.77", "s3cret-token"]


def _cookies(response: Any) -> dict[str, str]:
    lines = [value for name, value in response.headers.multi_items() if name == "set-cookie"]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


# --- the page


@pytest.mark.parametrize("path", ["/app/", "/", "/app/page2", "/page2"])
def test_page_carries_script_tokens_and_cookies(client: TestClient, path: str) -> None:
    """Every address of the page, stripped or kept, gives the same page."""
    client.cookies.clear()
    response = client.get(path)
    head = response.text.partition("<head>")[2]
    cookies = _cookies(response)

    assert head.startswith("<script ")
    assert 'data-base="/app"' in head
    assert 'src="/app/_stlaunch/page.js?v=' in head
    assert len(re.findall(r'data-tokens="(\S+) (\S+)"', head)) == 1
    assert 'src="/app/static/js/index.' in response.text
    assert '"./' not in response.text
    assert response.headers["cache-control"] == "private, no-cache"
    assert "etag" not in response.headers
    assert "_streamlit_xsrf" in cookies
    assert "Secure; HttpOnly; SameSite=Lax" in cookies[HOST_COOKIE]
    assert "Path=/; HttpOnly; SameSite=Lax" in cookies[PLAIN_COOKIE]
    ids = {cookies[name].partition(";")[0] for name in (HOST_COOKIE, PLAIN_COOKIE)}
    assert len(ids) == 2
    assert all(map(is_cookie_id, ids))


def test_page_keeps_good_ids_and_replaces_bad_ones(client: TestClient) -> None:
    """Tabs and apps on one host share the ids."""
    client.cookies.clear()
    good = "A" * 22
    headers = {"cookie": f"{PLAIN_COOKIE}={good}; {HOST_COOKIE}=<script>"}

    cookies = _cookies(client.get("/app/", headers=headers))

    assert cookies[PLAIN_COOKIE].startswith(good + ";")
    assert "<script>" not in cookies[HOST_COOKIE]


def test_page_is_never_answered_from_a_cache(client: TestClient) -> None:
    """It is made for one browser: no 304, and HEAD answers like GET."""
    conditional = {"if-none-match": "*", "if-modified-since": "Wed, 01 Jan 2031 00:00:00 GMT"}

    got = client.get("/app/", headers=conditional)
    head = client.head("/app/")

    assert got.status_code == head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 1000
    assert "_streamlit_xsrf" in _cookies(head)


def test_strict_page_has_no_proof(wrap: Wrap) -> None:
    """Where the token is of no use, none is sent."""
    response = wrap(origin_check="strict").get("/app/")

    assert "data-tokens" not in response.text
    assert HOST_COOKIE not in _cookies(response)


def test_missing_asset_is_404_and_existing_one_is_untouched(client: TestClient) -> None:
    """Bare Streamlit answers a missing script with its page and 200."""
    page = client.get("/app/").text
    script = re.search(r'src="(/app/static/js/index\.[^"]+)"', page)
    assert script is not None

    existing = client.get(script[1])
    missing = client.get("/app/static/js/index.OLD.js")

    assert existing.status_code == 200
    assert "javascript" in existing.headers["content-type"]
    assert "immutable" in existing.headers["cache-control"]
    assert missing.status_code == 404
    assert missing.headers["cache-control"] == "no-store"


def test_only_the_apps_page_is_touched() -> None:
    """Other HTML of the same process passes byte by byte, and is not held back."""
    html = "<html><head></head><body>mine <a href='./x'>x</a></body></html>" * 2000

    async def mine(_request: Any) -> HTMLResponse:
        return HTMLResponse(html)

    async def drip(_request: Any) -> StreamingResponse:
        async def chunks() -> Any:
            for _ in range(40):
                yield b"<p>" + b"x" * 2000

        return StreamingResponse(chunks(), media_type="text/html")

    inner = Starlette(routes=[Route("/mine", mine), Route("/drip", drip)])
    client = TestClient(stlaunch.wrap_app(Starlette(routes=[Mount("/", inner)])))

    response = client.get("/mine")

    assert response.text == html
    assert not _cookies(response)
    assert len(client.get("/drip").content) == 40 * 2003


def test_a_page_that_arrives_compressed_is_read() -> None:
    """A layer below that compresses whatever the browser says is undone."""
    index = (Path(internals.static_folder()) / "index.html").read_bytes()
    headers = [(b"content-type", b"text/html"), (b"content-encoding", b"gzip")]

    async def stubborn(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": gzip.compress(index)})

    answer = request(make(stubborn), "/app/", [("host", "app.test")])

    assert answer.header("content-encoding") is None
    assert b"/app/_stlaunch/page.js" in answer.body
    assert int(answer.header("content-length") or 0) == len(answer.body) > len(index)


def test_odd_base_paths_are_escaped_in_the_page() -> None:
    """A path may contain a quote and an ampersand; the page does not break."""
    index = (Path(internals.static_folder()) / "index.html").read_bytes()

    async def page(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": index})

    paths = PublicPaths(known=(BasePath.parse("/a'b&c"),))
    answer = request(make(page, paths=paths), "/a'b&c/", [("host", "app.test")])

    assert b'data-base="/a&#x27;b&amp;c"' in answer.body
    assert b"/a'b&c" not in answer.body


# --- the socket


def test_the_page_opens_the_socket_with_its_token(client: TestClient) -> None:
    """The proof from the page lets a handshake in whose Host was rewritten."""
    client.cookies.clear()
    page = client.get("/app/")
    found = re.search(r'data-tokens="(\S+) (\S+)"', page.text)
    assert found is not None
    client.cookies.clear()
    cookies = _cookies(page)
    pair = f"{HOST_COOKIE}={cookies[HOST_COOKIE].partition(';')[0]}"
    headers = {"origin": "https://public.test", "host": "127.0.0.1:8501", "cookie": pair}
    protocols = ["streamlit", "PLACEHOLDER", f"stlaunch.{found[1]}"]

    with client.websocket_connect(STREAM, protocols, headers=headers) as socket:
        assert socket.accepted_subprotocol == "streamlit"


def test_streamlits_own_check_stays_on(wrap: Wrap) -> None:
    """A foreign page is refused though nothing of Streamlit was switched off."""
    headers = {"origin": "https://evil.test", "cookie": "a=b"}

    with (
        pytest.raises(WebSocketDisconnect),
        wrap().websocket_connect(STREAM, ["streamlit"], headers=headers),
    ):
        pass

    assert internals.option_templates()["server.enableCORS"]


# --- the self-check


def test_health_ready_and_check(client: TestClient) -> None:
    """Each works stripped and kept, is never cached and never readable for another site."""
    for name, content_type in (("health", "text/plain"), ("ready", "text/plain"),
                               ("check", "application/json")):  # fmt: skip
        for front in ("/app", ""):
            response = client.get(f"{front}/_stlaunch/{name}", headers={"origin": "http://x.test"})

            assert response.status_code == 200
            assert response.headers["content-type"].startswith(content_type)
            assert response.headers["cache-control"] == "no-store, no-transform"
            assert "access-control-allow-origin" not in response.headers


def test_ready_is_503_before_the_app_has_started(wrap: Wrap) -> None:
    """Liveness and readiness are two questions."""
    early = wrap()

    assert early.get("/app/_stlaunch/health").status_code == 200
    assert early.get("/app/_stlaunch/ready").status_code == 503


def test_check_counts_and_masks(wrap: Wrap) -> None:
    """Verdicts and the last handshake of each kind, and nothing that names another client."""
    fresh = wrap(trusted_proxies=["loopback"])
    cookie, key, address, token = SECRETS
    headers = {
        "cookie": f"session={cookie}; _streamlit_xsrf={cookie}",
        "sec-websocket-key": key,
        "x-forwarded-for": address,
        "sec-websocket-protocol": f"streamlit, stlaunch.{token}",
    }
    own = {"origin": "http://app.test", "host": "app.test"}
    fresh.get(STREAM, headers=headers)
    with fresh.websocket_connect(STREAM, ["streamlit"], headers=own):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        fresh.websocket_connect(STREAM, headers={"origin": "http://evil.test"}),
    ):
        pass

    report = fresh.get("/app/_stlaunch/check").json()
    counts = report["handshakes"]

    assert report["schema"] == "stlaunch.selfcheck/1"
    assert report["verdict"] == "degraded"
    assert (counts["total"], counts["intact"], counts["stripped"], counts["rejected"]) == (
        3, 1, 1, 1,
    )  # fmt: skip
    assert set(counts["last"]) == {"intact", "upgrade_stripped", "origin_rejected"}
    assert [found["code"] for found in report["findings"]] == ["STL501", "STL301"]
    assert {"streamlit", "stlaunch"} <= set(report["instance"]["versions"])
    assert not [secret for secret in SECRETS if secret in json.dumps(report)]


def test_self_check_off_leaves_what_the_page_needs(wrap: Wrap) -> None:
    """Only the diagnostic endpoint goes."""
    quiet = wrap(self_check=False)

    assert quiet.get("/app/_stlaunch/check").status_code == 404
    assert quiet.get("/app/_stlaunch/health").status_code == 200
    assert quiet.get("/app/_stlaunch/page.js").status_code == 200
    assert quiet.get("/app/_stlaunch/token", headers={"x-stlaunch": "1"}).status_code == 200


def test_token_is_for_the_apps_own_page_only(client: TestClient) -> None:
    """No form, image or script of another site can ask for it, and none can read it."""
    own = client.get("/app/_stlaunch/token", headers={"x-stlaunch": "1"})
    bare = client.get("/app/_stlaunch/token")
    cross = client.get(
        "/app/_stlaunch/token", headers={"x-stlaunch": "1", "sec-fetch-site": "same-site"}
    )
    preflight = client.options("/app/_stlaunch/token", headers={"origin": "http://x.test"})

    assert len(own.json()["tokens"]) == 2
    assert own.headers["x-content-type-options"] == "nosniff"
    assert own.headers["cross-origin-resource-policy"] == "same-origin"
    assert (bare.status_code, cross.status_code, preflight.status_code) == (403, 403, 405)
    assert "access-control-allow-origin" not in preflight.headers


def test_page_script_is_kept_for_as_long_as_its_page_names_it(client: TestClient) -> None:
    """The page's own address for it lasts; asked for without one it is asked for again, cheaply."""
    address = re.findall(r'src="(\S+page\.js\S+)"', client.get("/app/").text)[0]
    named = client.get(html.unescape(address))
    first = client.get("/app/_stlaunch/page.js")
    again = client.get(
        "/app/_stlaunch/page.js", headers={"if-none-match": f"W/{first.headers['etag']}"}
    )
    plain = client.get("/app/_stlaunch/page.js", headers={"accept-encoding": "identity"})

    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["content-type"].startswith("text/javascript")
    assert (first.headers["cache-control"], first.headers["vary"]) == (
        "no-cache",
        "Accept-Encoding",
    )
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" in first.headers
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != first.headers["etag"]
    assert plain.content == first.content


# --- what is not public in Streamlit


def test_every_private_touch_point_exists(client: TestClient, tmp_path: Any) -> None:
    """Each function of `internals` runs against this version."""
    script = tmp_path / "main.py"
    script.write_text("import streamlit as st\napp = st.App('x.py')\n", encoding="utf-8")
    template = internals.option_templates()["server.port"]

    assert (template.type, template.multiple, template.sensitive) == (int, False, False)
    assert template.env_var == "STREAMLIT_SERVER_PORT"
    assert internals.discover_asgi_app(script) == "main:app"
    assert all(file.endswith("config.toml") for file in internals.config_files())
    assert (internals.static_folder() or "").endswith("static")
    assert streamlit_adapter.cookie_secret({}) is None
    assert [touch.feature for touch in internals.TOUCHES if not touch.fits] == []
