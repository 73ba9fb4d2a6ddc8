"""Drive an ASGI app without a server: one request or one handshake, in its own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.forwarded import TrustedProxies
from stlaunch.gateway.compose import compose
from stlaunch.gateway.composition import Composition
from stlaunch.gateway.origin_policy import PLAIN_COOKIE, OriginPolicy, OriginProof
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths

SECRET = b"s" * 32
LOOPBACK = ("127.0.0.1", 50000)
SERVER = ("127.0.0.1", 8501)
STRANGER = ("203.0.113.9", 50000)

Headers = Iterable[tuple[str, str]]


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None


@dataclass
class Recorder:
    """A small real app: remembers the scopes it gets and answers 200, or accepts."""

    scopes: list[Scope] = field(default_factory=list)
    callables: list[tuple[Receive, Send]] = field(default_factory=list)
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    status: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        self.scopes.append(scope)
        self.callables.append((receive, send))
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "subprotocol": None})
            return
        headers = [(b"content-type", b"text/plain"), *self.response_headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    @property
    def last(self) -> Scope:
        return self.scopes[-1]


def make(app: ASGIApp, **changes: Any) -> ASGIApp:
    """Wrap an app in all layers; by default below /app, trusting loopback."""
    facts: dict[str, Any] = {
        "paths": PublicPaths(known=(BasePath("/app"),)),
        "policy": OriginPolicy(),
        "trusted": TrustedProxies.parse(["loopback"]),
        "proof_secret": SECRET,
        "app_base": BasePath("/app"),
    }
    return compose(app, Composition(**(facts | changes)))


def proven(host: str = "app.test", cookie_id: str = "a" * 22) -> list[tuple[str, str]]:
    """Return what the browser of the app's own page sends with a handshake."""
    token = OriginProof(SECRET).token(PLAIN_COOKIE, cookie_id)
    return [
        ("host", host),
        ("cookie", f"{PLAIN_COOKIE}={cookie_id}"),
        ("sec-websocket-protocol", f"streamlit, stlaunch.{token}"),
    ]


def make_scope(
    path: str,
    headers: Headers = (),
    *,
    method: str = "GET",
    client: tuple[str, int] | None = LOOPBACK,
    root_path: str = "",
    raw_path: bytes | None = None,
    query: bytes = b"",
    http_version: str = "1.1",
    server: tuple[str, int | None] = SERVER,
) -> dict[str, Any]:
    """Return the scope of one HTTP request."""
    return {
        "type": "http",
        "http_version": http_version,
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "root_path": root_path,
        "query_string": query,
        "headers": _encode(headers),
        "client": client,
        "server": server,
    }


def request(
    app: ASGIApp,
    path: str,
    headers: Headers = (),
    *,
    method: str = "GET",
    client: tuple[str, int] | None = LOOPBACK,
    root_path: str = "",
    raw_path: bytes | None = None,
    query: bytes = b"",
    http_version: str = "1.1",
    server: tuple[str, int | None] = SERVER,
) -> Answer:
    """Make one HTTP request."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = make_scope(
        path,
        headers,
        method=method,
        client=client,
        root_path=root_path,
        raw_path=raw_path,
        query=query,
        http_version=http_version,
        server=server,
    )
    asyncio.run(_call(app, scope, receive, send))
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(start["status"], _decode(start["headers"]), body)


def handshake(
    app: ASGIApp,
    path: str = "/app/_stcore/stream",
    headers: Headers = (),
    *,
    client: tuple[str, int] | None = LOOPBACK,
    protocols: Iterable[str] = (),
) -> tuple[int, tuple[Receive, Send]]:
    """Make one WebSocket handshake; return its status (101 where accepted) and our callables."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    offered = [("sec-websocket-protocol", ", ".join(protocols))] if protocols else []
    scope = {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": _encode([*headers, *offered]),
        "client": client,
        "server": ("127.0.0.1", 8501),
        "subprotocols": list(protocols),
        "extensions": {"websocket.http.response": {}},
    }
    asyncio.run(_call(app, scope, receive, send))
    first = sent[0]
    status = {"websocket.accept": 101, "websocket.close": 403}.get(first["type"])
    return status or first["status"], (receive, send)


async def _call(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _encode(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


def _decode(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode().lower(), value.decode("latin-1")) for name, value in headers]
