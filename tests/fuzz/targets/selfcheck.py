"""The self-check and its probes: what a stranger sends is shown to nobody else."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from starlette.types import ASGIApp

from tests.asgi.driver import Recorder, make, make_scope
from tests.fuzz.target import Target
from tests.fuzz.wire import INJECTIONS, Reply, ask, read_request, run

_MARK = b"zq7stranger"
_RENEWED_AFTER = 60  # before the probes' limits make one wait
_OK = frozenset({200, 304, 307, 403, 404, 405, 408, 413, 415, 426, 429, 503})


class _Apps:
    """One app for a few hundred inputs: what one of them leaves is there for the next."""

    def __init__(self) -> None:
        self.count = 0
        self.app: ASGIApp = make(Recorder())

    def next(self) -> ASGIApp:
        self.count += 1
        if self.count % _RENEWED_AFTER == 0:
            self.app = make(Recorder())
        return self.app


_apps = _Apps()


def self_check(data: bytes) -> Hashable:
    """Answer in printable text, and say nothing of this to another client."""
    asked = read_request(data)
    app = _apps.next()
    scope: dict[str, Any] = asked.scope()
    if not scope["path"].startswith(("/app/_stlaunch", "/_stlaunch", "/app/_stcore/stream")):
        return "elsewhere"
    if asked.method == "SOCKET":
        offered = [
            value.decode("latin-1")
            for name, value in asked.headers
            if name == b"sec-websocket-protocol"
        ]
        scope |= {
            "type": "websocket",
            "scheme": "ws",
            "subprotocols": offered,
            "extensions": {"websocket.http.response": {}},
        }
    reply: Reply = run(ask(app, scope, asked.body, pieces=2))
    assert reply.status in _OK | {101, 200}, reply.status
    reply.check()
    kind = reply.header(b"content-type").partition(b";")[0]
    text = reply.body.decode()
    if kind == b"application/json" and reply.body:
        json.loads(text)
    if kind in {b"application/json", b"text/plain"}:
        assert all(char.isprintable() or char == "\n" for char in text), text
    if kind == b"text/html":
        assert _MARK.decode() not in text
    assert not reply.header(b"access-control-allow-origin")
    if _MARK in data:
        _check_others(app)
    return (reply.status, kind, asked.method if len(asked.method) < 8 else "")


def _check_others(app: ASGIApp) -> None:
    for path in ("/app/_stlaunch/check", "/app/_stlaunch/metrics", "/app/_stlaunch/fixes"):
        scope = make_scope(path, [("host", "app.test")], client=("198.51.100.7", 1))
        reply = run(ask(app, scope))
        reply.check()
        assert _MARK not in reply.body.lower(), path


def _get(name: bytes, *headers: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    line = method + b" /app/_stlaunch/" + name + b" stranger\nhost: app.test"
    return line + b"".join(b"\n" + header for header in headers) + (b"\n\n" + body if body else b"")


TARGETS = (
    Target(
        name="self-check",
        promise="printable answers with a known status, and nothing of a stranger for others",
        run=self_check,
        seeds=(
            _get(b""),
            _get(b"check?json"),
            _get(b"check", b"accept: text/plain", b"via: 1.1 " + _MARK),
            _get(b"check?strict", b"forwarded: for=" + _MARK),
            _get(b"echo?cookie=1", b"user-agent: " + _MARK, b"cookie: a=b"),
            _get(b"metrics"),
            _get(b"fixes?code=STL301", b"x-forwarded-prefix: /" + _MARK),
            _get(b"ticket", b"x-stlaunch: 1"),
            _get(b"arrived?ticket=x.y&n=1", b"x-stlaunch: 1"),
            _get(b"drip?chunks=3&pause_ms=0"),
            _get(b"sink", b"x-stlaunch: 1", method=b"POST", body=b"body " * 20),
            _get(b"ws?ticket=1&n=2", b"x-stlaunch: 1", method=b"SOCKET"),
            _get(b"ws", b"sec-websocket-key: x", b"upgrade: " + _MARK),
            b"SOCKET /app/_stcore/stream stranger\nhost: app.test\norigin: https://" + _MARK,
            b"GET /app/_stcore/stream proxy\nsec-websocket-version: " + _MARK + b"\nconnection: x",
            _get(b"page.js?v=1&i=" + _MARK, b"referer: http://app.test/" + _MARK + b"/"),
            _get(b"check", b"authorization: Bearer " + _MARK, b"x-stlaunch-token: x"),
        ),
        tokens=(
            *(_MARK, b"\nvia: 1.1 ", b"\nforwarded: for=", b"\nx-forwarded-host: ", b" proxy\n"),
            *(
                b"\nx-forwarded-for: ",
                b"\nx-forwarded-prefix: /",
                b"\norigin: https://",
                b"\nreferer: ",
            ),
            *(
                b"check",
                b"echo",
                b"metrics",
                b"fixes",
                b"ticket",
                b"arrived",
                b"ws",
                b"sink",
                b"drip",
            ),
            *(
                b"?json",
                b"?strict",
                b"&chunks=9",
                b"&pause_ms=0",
                b"\nx-stlaunch: 1",
                b"\ncookie: ",
            ),
            *(
                b"\nsec-websocket-extensions: ",
                b"\nsec-websocket-protocol: ",
                b"SOCKET ",
                b"SOCKET",
            ),
            *(b"<script>", b"\x1b[2J", b"\xc2\x9b", *INJECTIONS),
        ),
    ),
)
