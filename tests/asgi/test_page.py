"""Where the page's layer must keep out of the way: streams, files, other servers' extensions."""

from __future__ import annotations

import asyncio
import gzip
import html
import json
import re
from pathlib import Path

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.streamlit_adapter import internals
from tests.asgi.driver import Recorder, make, make_scope, request

HOST = [("host", "app.test")]


def _page(*headers: tuple[bytes, bytes], chunk_bytes: int = 100_000) -> ASGIApp:
    index = (Path(internals.static_folder()) / "index.html").read_bytes()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        start = [(b"content-type", b"text/html; charset=utf-8"), *headers]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        for begin in range(0, len(index), chunk_bytes):
            body = index[begin : begin + chunk_bytes]
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def test_a_slow_stream_is_not_held_back() -> None:
    """The first bytes of an endless HTML answer go out before the next ones exist."""

    async def drip(_scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<p>first", "more_body": True})
        await receive()  # the client has seen it
        await send({"type": "http.response.body", "body": b"<p>last", "more_body": False})

    async def talk() -> list[Message]:
        sent: list[Message] = []
        seen = asyncio.Event()

        async def receive() -> Message:
            await seen.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)
            if b"first" in message.get("body", b""):
                seen.set()

        async with asyncio.timeout(30):
            await make(drip)(make_scope("/app/drip", HOST), receive, send)
        return sent

    bodies = [message.get("body") for message in asyncio.run(talk())[1:]]

    assert bodies == [b"<p>first", b"<p>last"]


@pytest.mark.parametrize(
    ("headers", "chunk_bytes"),
    [((), 100_000), (((b"content-length", b"7863"),), 700)],
    ids=["no-length", "small-chunks"],
)
def test_the_page_is_known_however_it_is_sent(
    headers: tuple[tuple[bytes, bytes], ...], chunk_bytes: int
) -> None:
    """A middleware of the app's own may have taken its length or cut it into pieces."""
    answer = request(make(_page(*headers, chunk_bytes=chunk_bytes)), "/app/", HOST)

    assert b"/app/_stlaunch/page.js" in answer.body
    assert answer.header("content-length") == str(len(answer.body))


def test_a_page_below_a_gzip_middleware_is_read() -> None:
    """The app's own compression is not asked for, and the page comes out whole."""
    headers = [*HOST, ("accept-encoding", "gzip")]
    wrapped = make(GZipMiddleware(_page(), minimum_size=10))

    answer = request(wrapped, "/app/", headers)

    assert answer.header("content-encoding") is None
    assert b"/app/_stlaunch/page.js" in answer.body


@pytest.mark.parametrize("encoding", ["br", "gzip"], ids=["unknown", "broken"])
def test_what_cannot_be_read_passes(encoding: str) -> None:
    """A body in a coding we do not speak goes out as it came, with its headers."""
    body = gzip.compress(b"x")[:-9] + b"?"

    async def odd(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html"), (b"content-encoding", encoding.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    answer = request(make(odd), "/app/", HOST)

    assert (answer.body, answer.header("content-encoding")) == (body, encoding)


def test_a_server_that_sends_files_itself_is_not_asked_to() -> None:
    """`http.response.pathsend` (Granian) would send the page past the layer that rewrites it."""
    app = Recorder()
    scope = make_scope("/app/", HOST)
    scope["extensions"] = {"http.response.pathsend": {}, "tls": {}}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        return

    asyncio.run(make(app)(scope, receive, send))  # type: ignore[arg-type]

    assert app.last["extensions"] == {"tls": {}}
    assert "http.response.pathsend" in scope["extensions"]


def test_a_part_of_a_file_can_be_asked_for() -> None:
    """Routes of the app's own below the same path keep Range, which players of video need."""
    app = Recorder()

    request(make(app), "/app/film.mp4", [*HOST, ("range", "bytes=0-3")])

    assert dict(app.last["headers"])[b"range"] == b"bytes=0-3"


def _app_with_host_config(config: bytes, status: int = 200) -> ASGIApp:
    page = _page()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith("/_stcore/host-config"):
            await page(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": config})

    return app


def _host_config(answer: bytes) -> str | None:
    found = re.search(r'data-host-config="([^"]*)"', answer.decode())
    return html.unescape(found[1]) if found else None


def test_the_page_carries_the_host_configuration() -> None:
    """Whatever the app's configuration holds, it stays inside of its attribute."""
    config = {"allowedOrigins": ["https://a.example", '"></script><script>bad()'], "x": "&quot;'<"}
    wrapped = make(_app_with_host_config(json.dumps(config).encode()))

    body = request(wrapped, "/app/", HOST).body

    assert json.loads(_host_config(body) or "") == config
    assert b"bad()" in body
    assert b"<script>bad()" not in body


@pytest.mark.parametrize(
    ("config", "status"),
    [(b"{}x", 200), (b"[1]", 200), (b'{"a": 1}', 403), (b'{"a": "' + b"x" * 100_000 + b'"}', 200)],
    ids=["broken", "no object", "refused", "endless"],
)
def test_no_configuration_is_made_up(config: bytes, status: int) -> None:
    """Then the page asks for it, as it does without stlaunch."""
    body = request(make(_app_with_host_config(config, status)), "/app/", HOST).body

    assert b"/app/_stlaunch/page.js" in body
    assert _host_config(body) is None


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_token_asked_for_sets_secure_cookies_behind_https(scheme: str) -> None:
    """Over plain http one of the two must not be, or the browser would not keep it."""
    headers = [*HOST, ("x-stlaunch", "1"), ("x-forwarded-proto", scheme)]

    answer = request(make(Recorder()), "/app/_stlaunch/token", headers)

    cookies = [value for name, value in answer.headers if name == "set-cookie"]
    assert [cookie.count("Secure") for cookie in cookies] == [1, int(scheme == "https")]
