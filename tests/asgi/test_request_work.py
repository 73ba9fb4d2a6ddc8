"""One request costs no more for the names that it repeats: everybody else waits meanwhile."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.types import Message

from stlaunch.proxies.recognition import table
from tests.asgi.driver import LOOPBACK, Recorder, make, make_scope

# That signs of proxies have, and whose values are read.
_NAMES = sorted(
    {known.sign.header for known in table() if known.sign.header}
    | {
        *("accept", "accept-encoding", "connection", "cookie", "forwarded", "if-none-match"),
        *("referer", "sec-websocket-extensions", "sec-websocket-protocol", "te", "upgrade"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"),
        *("x-forwarded-proto", "x-original-uri", "x-request-id", "x-script-name"),
        *("x-stlaunch-protocols", "x-stlaunch-size", "x-stlaunch-target"),
    }
)
_LINES = 2000  # empty ones: 30 KB, which proxies let through


def _cpu_s(method: str, path: str, lines: list[tuple[str, str]]) -> float:
    """Return the processor's time for one request from a trusted peer."""
    app = make(Recorder())
    fixed = [("host", "app.test"), ("origin", "http://app.test"), ("x-stlaunch", "1")]
    scope = make_scope(path, [*fixed, *lines], method=method, client=LOOPBACK)
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
    end = "http.disconnect"
    if method == "SOCKET":
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": []}
        messages, end = [{"type": "websocket.connect"}], "websocket.disconnect"

    async def receive() -> Message:
        await asyncio.sleep(0)
        return messages.pop() if messages else {"type": end, "code": 1001}

    async def send(_message: Message) -> None: ...

    async def ask() -> float:
        began = time.process_time()
        await app(scope, receive, send)
        return time.process_time() - began

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/app/"),
        ("GET", "/app/_stlaunch/page.js"),
        ("GET", "/app/_stlaunch/check"),
        ("GET", "/app/static/js/x.js"),
        ("POST", "/app/_stlaunch/tunnel"),
        ("POST", "/app/_stlaunch/upload"),
        ("SOCKET", "/app/_stcore/stream"),
        ("SOCKET", "/app/_stlaunch/ws"),
    ],
)
def test_many_lines_of_a_known_header_cost_no_more_than_of_an_unknown_one(
    method: str, path: str
) -> None:
    _cpu_s(method, path, [])  # what is made once is made
    unknown, known = (
        sum(_cpu_s(method, path, [(name, "")] * _LINES) for name in names)
        for names in ([f"x-unknown-{number}" for number in range(len(_NAMES))], _NAMES)
    )

    assert known < 3 * unknown
