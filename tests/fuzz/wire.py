"""Read an input as an HTTP request, as far as a server lets it through, and ask an app in process.

METHOD TARGET PEER          PEER: `proxy` for a trusted one, anything else for a stranger
name: value

body
"""

from __future__ import annotations

import asyncio
import atexit
import re
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from tests.asgi.driver import LOOPBACK, STRANGER, make_scope

T = TypeVar("T")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What h11 takes in a value, and in a target.
_NO_VALUE = re.compile(rb"[\x00\r\n\x0b\x0c]")
_NO_TARGET = re.compile(rb"[^\x21-\x7e]")
# Anything of an input that got into the head of an answer.
_INJECTED = b"x-injected"
INJECTIONS = (b"\r\nx-injected: 1", b"%0d%0ax-injected:%201", b"x-injected")

_MAX_SKIPPED_S = 0.5


class _SkippingSelector(selectors.DefaultSelector):
    """Skips short waits: the gateway pauses for milliseconds, and a million inputs are tried."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or not 0 < timeout < _MAX_SKIPPED_S:
            return super().select(timeout)
        found = super().select(0)
        self.skipped_s += 0.0 if found else timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose clock is ahead by what was skipped."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped_s


loop: asyncio.AbstractEventLoop = _Loop()
"""One for all targets: they hold tasks that go on between inputs."""


@atexit.register
def _close() -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    run(run_ready_tasks())
    loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request."""

    method: str
    path: bytes
    query: bytes
    is_proxied: bool
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def scope(self, more: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
        """Return it as uvicorn would."""
        scope = make_scope(
            unquote(self.path.decode("ascii")),
            method=self.method,
            raw_path=self.path,
            query=self.query,
            client=LOOPBACK if self.is_proxied else STRANGER,
        )
        scope["headers"] = [*self.headers, *(more or [])]
        return scope


@dataclass(slots=True)
class Reply:
    """What an app answered; wrong orders of messages are errors."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    is_done: bool = False

    def header(self, name: bytes) -> bytes:
        """Return a header, empty without."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    def take(self, message: Message) -> None:
        """Note one message of ASGI."""
        assert not self.is_done, message
        if message["type"].endswith("response.start"):
            assert not self.status, message
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"].endswith("response.body"):
            assert self.status, message
            self.body += message.get("body", b"")
            self.is_done = not message.get("more_body", False)
        else:
            self.status = 101 if message["type"] == "websocket.accept" else self.status or 403

    def check(self) -> None:
        """Check the promises that hold for every answer."""
        assert 100 < self.status < 600, self.status
        assert self.status != 500, bytes(self.body)
        for name, value in self.headers:
            assert _TOKEN.fullmatch(name), name
            assert not name.lower().startswith(_INJECTED), name
            assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value), (name, value)
        place = self.header(b"location")
        assert not place.startswith((b"//", b"/\\", b"\\")), place
        assert b"://" not in place.partition(b"?")[0], place


def read_headers(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the lines that are headers, as a server hands them on."""
    headers = []
    for line in data.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and _TOKEN.fullmatch(name):
            headers.append((name.lower(), _NO_VALUE.sub(b"", value).strip(b" \t")))
    return headers


def read_request(data: bytes) -> Request:
    """Return an input as a request; every input is one."""
    head, _, body = data.partition(b"\n\n")
    line, _, lines = head.partition(b"\n")
    method, _, rest = line.partition(b" ")
    target, _, peer = rest.partition(b" ")
    path, _, query = (_NO_TARGET.sub(b"", target) or b"/").partition(b"?")
    return Request(
        method=method.decode("ascii") if _TOKEN.fullmatch(method) else "GET",
        path=path or b"/",
        query=query,
        is_proxied=peer.strip() == b"proxy",
        headers=read_headers(lines),
        body=body,
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something in the loop of the targets."""
    return loop.run_until_complete(work)


async def ask(
    app: ASGIApp, scope: Scope, body: bytes = b"", *, pieces: int = 1, leaves: bool = False
) -> Reply:
    """Make one request, or one handshake; the client stays for the answer, if it does not leave."""
    reply = Reply()
    size = max(-(-len(body) // pieces), 1)
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    is_socket = scope["type"] == "websocket"
    left: list[Message] = [{"type": "websocket.connect"}] if is_socket else [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]  # fmt: skip

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await asyncio.sleep(0)
        if not (is_socket or leaves):
            await asyncio.Event().wait()
        return {"type": "websocket.disconnect" if is_socket else "http.disconnect", "code": 1001}

    async def send(message: Message) -> None:
        reply.take(message)

    await app(scope, receive, send)
    return reply


async def run_ready_tasks(is_done: Callable[[], bool] = lambda: False) -> None:
    """Let the loop run whatever is ready."""
    for _ in range(8):
        await asyncio.sleep(0)
        if is_done():
            return
