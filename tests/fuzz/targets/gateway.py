"""Whole requests through all layers, to a small app: nothing but what is below the base arrives."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Hashable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request as AppRequest
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Scope
from starlette.websockets import WebSocket

from stlaunch.gateway.middleware.cookies import CookieMiddleware
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE, OriginProof
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PrefixRule, PublicPaths
from tests.asgi.driver import SECRET, make
from tests.fuzz.target import Target
from tests.fuzz.wire import INJECTIONS, Reply, Request, ask, read_request, run

PAGE = (
    b'<!doctype html><html><head><title>Streamlit</title><link href="./static/css/index.b.css">'
    b'<script src="./static/js/index.a.js"></script></head><body><div id="root"></div></body>'
)
_OWN_COOKIE = "a" * 22
_FOREIGN_ORIGINS = (b"https://evil.test", b"null", b"http://app.test.evil.test")
_FOREIGN_TOKEN = OriginProof(SECRET).token(PLAIN_COOKIE, "b" * 22)
_MARK = CookieMiddleware(lambda *_: None, base=BasePath("/app")).mark.decode()


class _App:
    """Answers, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []
        self.page = PAGE
        self.headers: dict[str, str] = {}
        self.inner = Starlette(
            routes=[
                WebSocketRoute("/app/_stcore/stream", self.stream),
                Route("/app/_stcore/health", self.health),
                Route("/app/media/folder/", self.folder),
                Route("/app/_stcore/upload_file/{a}/{b}", self.upload, methods=["PUT"]),
                Route("/{path:path}", self.answer),
            ]
        )

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.seen.append(scope)
        await self.inner(scope, receive, send)

    # Without `async`, each call would take a thread.
    async def health(self, _request: AppRequest) -> Response:
        return PlainTextResponse("ok")

    async def folder(self, _request: AppRequest) -> Response:
        return PlainTextResponse("a folder")

    async def answer(self, request: AppRequest) -> Response:
        headers = {"content-length": str(len(self.page)), **self.headers}
        if "/media/" in request.url.path:
            return PlainTextResponse("a file")
        return Response(self.page, media_type="text/html; charset=utf-8", headers=headers)

    async def upload(self, request: AppRequest) -> Response:
        async for _ in request.stream():
            pass
        return Response(status_code=204)

    async def stream(self, socket: WebSocket) -> None:
        await socket.accept()


class _Gateway:
    """An app under all layers, made anew once it knows its mode or path."""

    def __init__(self, rule: PrefixRule = PrefixRule.AUTO, *, is_learning: bool = False) -> None:
        self.rule, self.is_learning = rule, is_learning
        self.app = _App()
        self.renew()

    def renew(self) -> None:
        known = () if self.is_learning else (BasePath("/app"),)
        self.paths = PublicPaths(known=known, rule=self.rule, is_learning=self.is_learning)
        self.wrapped: ASGIApp = make(
            self.app,
            paths=self.paths,
            app_base=BasePath() if self.is_learning else BasePath("/app"),
            identity_headers=lambda: frozenset({b"x-remote-user"}),
        )

    def ask(self, scope: Scope, body: bytes = b"", *, pieces: int = 1) -> Reply:
        if self.paths.seen.first or self.paths.learned.paths:
            self.renew()
        self.app.seen.clear()
        return run(ask(self.wrapped, scope, body, pieces=pieces))


_BY_RULE = {rule: _Gateway(rule) for rule in PrefixRule}
_UNKNOWN = _Gateway(is_learning=True)


def _segments(path: str) -> list[str]:
    """Return what a lenient server takes a path for."""
    found: list[str] = []
    for segment in unquote(path).replace("\\", "/").casefold().split("/"):
        if segment == "..":
            del found[-1:]
        elif segment not in {"", "."}:
            found.append(segment)
    return found


def requests(data: bytes) -> Hashable:
    """Answer each request once, and let nothing through that is not below the base."""
    asked = read_request(data)
    kinds: list[Hashable] = []
    for rule, gateway in _BY_RULE.items():
        reply = gateway.ask(asked.scope(), asked.body)
        reply.check()
        for scope in gateway.app.seen:
            _check_seen(scope, asked, rule, is_mode_known=bool(gateway.paths.seen.first))
        kinds += [reply.status, len(gateway.app.seen)]
    return tuple(kinds)


def _check_seen(scope: Scope, asked: Request, rule: PrefixRule, *, is_mode_known: bool) -> None:
    path = scope["path"]
    assert path == "/app" or path.startswith("/app/"), path
    below = _segments(path.removeprefix("/app"))
    assert not f"{path}/".startswith("/app/_stlaunch/"), path
    # A doubled base is a page of that name, or one of the app's own public files.
    if below[:1] == ["app"] and rule is PrefixRule.AUTO and not is_mode_known:
        assert below == ["app"] or path.startswith("/app/app/static/"), path
    if rule is PrefixRule.KEPT and not path.endswith("/_stcore/health"):
        assert asked.scope()["path"].lstrip("/").startswith("app"), path
    if not asked.is_proxied:
        names = {name.replace(b"_", b"-") for name, _ in scope["headers"]}
        assert b"x-remote-user" not in names
        assert scope["client"][0] == "203.0.113.9"
        assert scope["scheme"] in {"http", "ws"}


def handshakes(data: bytes) -> Hashable:
    """Never let in a page of another site, whatever else its handshake says."""
    asked = read_request(data)
    # What no page of another site can make a browser, or the proxy, send.
    fixed = {b"origin", b"host", b"forwarded", b"x-forwarded-host"}
    headers = [item for item in asked.headers if item[0] not in fixed]
    scope = asked.scope()
    offered = [value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"]  # fmt: skip
    scope |= {
        "type": "websocket",
        "scheme": "ws",
        "path": "/app/_stcore/stream",
        "raw_path": b"/app/_stcore/stream",
        "subprotocols": [part.strip() for line in offered for part in line.split(",")],
        "extensions": {"websocket.http.response": {}},
    }
    origin = _FOREIGN_ORIGINS[len(data) % len(_FOREIGN_ORIGINS)]
    scope["headers"] = [(b"host", b"app.test"), (b"origin", origin), *headers]
    gateway = _BY_RULE[PrefixRule.AUTO]
    reply = gateway.ask(scope)
    reply.check()
    assert reply.status == 403, reply.status
    assert not gateway.app.seen
    reason = json.loads(reply.body)["reason"]
    scope["headers"] = [(b"host", b"app.test"), (b"origin", b"http://app.test"), *headers]
    reply = _BY_RULE[PrefixRule.AUTO].ask(scope)
    reply.check()
    for seen in _BY_RULE[PrefixRule.AUTO].app.seen:  # no token reaches the app
        lines = [value for name, value in seen["headers"] if name == b"sec-websocket-protocol"]
        parts = [part.strip() for line in lines for part in line.split(b",")]
        assert not any(part.startswith(b"stlaunch.") for part in parts), parts
        assert not any(part.startswith("stlaunch.") for part in seen["subprotocols"])
    return (reply.status, origin, reason)


def cookies(data: bytes) -> Hashable:
    """Show the app no login but its own, however lenient it reads."""
    lines = [(b"cookie", value) for _, value in read_request(b"GET / x\n" + data).headers]
    scope = read_request(b"GET /app/media/x x").scope([(b"host", b"app.test"), *lines])
    gateway = _BY_RULE[PrefixRule.BOTH]
    gateway.ask(scope).check()
    own = {part.strip(b" \t") for _, value in lines for part in value.split(b";")}
    found = set()
    for seen in gateway.app.seen:
        text = "; ".join(v.decode("latin-1") for k, v in seen["headers"] if k == b"cookie")
        for name, value in cookie_parser(text).items():
            if name.strip().startswith(("_streamlit_user", "_streamlit_session")):
                found.add(name)
                want = f"{name.strip()}{_MARK}".encode("latin-1")
                assert any(one.partition(b"=")[0] == want for one in own), (name, value)
    return (len(own), *sorted(found))


def page(data: bytes) -> Hashable:
    """Change the page alone: our scripts, and addresses that a browser takes for the base."""
    asked = read_request(data)
    gateway = _UNKNOWN
    body: bytes = PAGE
    gateway.app.headers = {}
    if asked.body:
        body = asked.body
        if asked.query == b"gzip":
            gateway.app.headers = {"content-encoding": "gzip"}
        elif asked.query == b"packed":
            body, gateway.app.headers = gzip.compress(body, 1), {"content-encoding": "gzip"}
    gateway.app.page = body
    scope = asked.scope()
    scope |= {"method": "GET", "path": "/", "raw_path": b"/"}
    reply = gateway.ask(scope)
    reply.check()
    length = reply.header(b"content-length")
    assert not length or int(length) == len(reply.body)
    shown = asked.body if asked.query == b"packed" and asked.body else body
    if b"/_stlaunch/page.js" not in reply.body:
        # What has no place for the script, and what nobody can unpack.
        assert bytes(reply.body) == body or b"<head>" not in shown
        return (reply.status, "no script")
    before, after = _Tags(), _Tags()
    before.feed(shown.decode("latin-1"))
    after.feed(reply.body.decode("latin-1"))
    ours = [tag for tag in after.tags if dict(tag[1]).get("data-transport")]
    base = dict(ours[0][1]).get("data-base", "") if ours else ""
    if shown == PAGE:
        assert len(ours) == 1, ours
        assert re.fullmatch(r"(?:/[^/]+)*", base or ""), base
        scripts = [tag for tag in after.tags if tag[0] == "script" and "stlaunch/" in str(tag[1])]
        assert len(after.tags) == len(before.tags) + len(scripts)
        front = f"{base}/" if "data-base" in dict(ours[0][1]) else "./"
        for tag, attributes in after.tags:
            for name in ("src", "href"):
                assert dict(attributes).get(name, front).startswith(front), (tag, attributes)
    return (reply.status, bool(base), shown == PAGE)


class _Tags(HTMLParser):
    """The tags of a page, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple((name, value or "") for name, value in attrs)))


_HEADERS = (
    *(b"\nhost: app.test", b"\norigin: http://app.test", b"\nx-forwarded-proto: https"),
    *(
        b"\nx-forwarded-prefix: /app",
        b"\nx-forwarded-host: ",
        b"\ncookie: ",
        b"\nupgrade: websocket",
    ),
    *(b"\nsec-websocket-protocol: ", b"\nsec-fetch-site: same-origin", b"\nx-stlaunch: 1"),
    *(b"\nreferer: http://app.test/app/app/", b"\nif-none-match: ", b"\nrange: bytes=0-"),
    *(b"\naccept-encoding: gzip", b"\nx-remote-user: root", b"\nx_remote_user: root"),
    *(b"\ncontent-length: 9", b"\ntransfer-encoding: chunked", b"\nvia: 1.1 x"),
)
_PATHS = (
    *(
        b"/app",
        b"/app/",
        b"/app/app/",
        b"//app//app/",
        b"/App/",
        b"/%61pp",
        b"/app%2f",
        b"/app/..;/",
    ),
    *(b"_stcore/stream", b"_stcore/health", b"_stcore/upload_file/a/b", b"_stcore/host-config"),
    *(
        b"_stlaunch/check",
        b"_stlaunch/ws",
        b"_stlaunch/tunnel",
        b"_stlaunch/upload",
        b"static/js/x.js",
    ),
    *(b"_stlaunch/page.js", b"_stlaunch/token", b"app/static/x", b"media/folder", b"page2"),
)
_TOKENS = (*_HEADERS, *_PATHS, *INJECTIONS, b" proxy\n", b"evil.test", b"%0a", b"%2e%2e/")
_COOKIE = f"{PLAIN_COOKIE}={_OWN_COOKIE}; {HOST_COOKIE}={_OWN_COOKIE}".encode()

TARGETS = (
    Target(
        name="requests",
        promise="one answer, no 500, no header of the input's; the app sees what is below the base",
        run=requests,
        seeds=(
            b"GET /app/ stranger\nhost: app.test",
            b"GET /app/page2?x=1 proxy\nhost: app.test\nx-forwarded-for: 192.0.2.1",
            b"GET /media/folder proxy\nhost: app.test\nx-forwarded-prefix: /app",
            b"GET /app/_stcore/stream stranger\nhost: app.test\nsec-websocket-key: x",
            b"PUT /app/_stcore/upload_file/a/b stranger\nhost: app.test\n\nbody",
            b"GET /app/_stlaunch/ stranger\nhost: app.test\naccept: text/html",
            b"POST /app/_stlaunch/tunnel stranger\nhost: app.test\nx-stlaunch: 1",
            b"OPTIONS * stranger",
            b"GET http://app.test/app/ proxy",
        ),
        tokens=_TOKENS,
    ),
    Target(
        name="handshakes",
        promise="no page of another site gets a WebSocket, and no token reaches the app",
        run=handshakes,
        seeds=(
            b"GET / stranger\ncookie: " + _COOKIE + b"\nsec-websocket-protocol: streamlit, x",
            b"GET / proxy\nsec-fetch-site: same-origin\ncookie: " + _COOKIE,
            b"GET / proxy\nx-forwarded-proto: https\nsec-websocket-protocol: streamlit, stlaunch."
            + _FOREIGN_TOKEN.encode(),
        ),
        tokens=(
            *_HEADERS,
            *(_COOKIE, b"stlaunch.", _FOREIGN_TOKEN.encode(), b"b" * 22, b"; stlaunch=", b"\xa0"),
            *(b"\nx-forwarded-port: 443", b"\nx-forwarded-for: 127.0.0.1", b"evil.test", b", "),
        ),
    ),
    Target(
        name="cookies",
        promise="the app sees its own login alone",
        run=cookies,
        seeds=(
            f"cookie: _streamlit_user{_MARK}=own; x=y".encode(),
            b"cookie: _streamlit_user=other; _streamlit_session.0=z\ncookie: a",
            b'cookie: a="_streamlit_user=x"; _streamlit_user_0 = 1',
        ),
        tokens=(
            *(
                b"_streamlit_user",
                b"_streamlit_session",
                _MARK.encode(),
                b"\ncookie: ",
                b"; ",
                b"\xa0",
            ),
            *(b"\x85", b"\x1f", b"=", b'"', b"\\", b"_streamlit_user=", b" _streamlit_user ="),
        ),
    ),
    Target(
        name="page",
        promise="the page gets our scripts alone, and its addresses stay below the base",
        run=page,
        seeds=(
            b"GET / proxy\nhost: app.test\nx-forwarded-prefix: /app",
            b"GET / proxy\nhost: app.test\nx-forwarded-prefix: /user/jane,/proxy",
            b"GET / proxy\nhost: app.test\nx-original-uri: /x/",
            b"GET /?packed proxy\nhost: app.test\n\n" + PAGE,
            b"GET /?gzip proxy\nhost: app.test\n\n" + gzip.compress(PAGE, mtime=0),
            b"GET / proxy\nhost: app.test\n\n" + PAGE * 3,
        ),
        tokens=(
            *(b"\nx-forwarded-prefix: /", b"&quot;", b'"><script>', b"'", b"%22", b"/a", b"<head>"),
            *(b'src="./static/js/index.', b'href="./', b"<!--", b"</script>", b"?gzip", b"?packed"),
            *INJECTIONS,
        ),
    ),
)
