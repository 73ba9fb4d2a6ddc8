"""What becomes of a piece that nobody reads, and of one that arrives twice at the same time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.asgi.driver import make, make_scope
from tests.fallback.app import run_ready_tasks

PIECES = "/app/_stlaunch/upload"
MEGABYTE = bytes(1024 * 1024)
COOKIE = f"stlaunch={'a' * 22}"


class _Request:
    """One POST of a piece, whose chunks arrive when the test says so."""

    def __init__(self, app: ASGIApp, upload_id: str, offset: int, *, size: int = 0) -> None:
        self.chunks: asyncio.Queue[Message] = asyncio.Queue()
        self.body = b""
        path = f"{PIECES}/{upload_id}" if upload_id else PIECES
        sizes = [("x-stlaunch-size", str(size)), ("x-stlaunch-target", "session/file")]
        headers = [("host", "app.test"), ("x-stlaunch", "1"), ("cookie", COOKIE), *sizes]
        scope = make_scope(path, headers, method="POST", query=f"offset={offset}".encode())
        self.task = asyncio.ensure_future(app(scope, self.chunks.get, self._send))

    def arrives(self, chunk: bytes, *, more: bool = False) -> None:
        """Let a chunk of the body arrive."""
        self.chunks.put_nowait({"type": "http.request", "body": chunk, "more_body": more})

    async def answer(self) -> Any:
        """Wait for the answer."""
        await asyncio.wait_for(self.task, 30)
        return json.loads(self.body)

    async def _send(self, message: Message) -> None:
        self.body += message.get("body", b"")


async def _open(app: ASGIApp, size: int) -> str:
    opening = _Request(app, "", 0, size=size)
    opening.arrives(b"")
    return str((await opening.answer())["id"])


def test_nothing_of_a_refused_upload_is_kept() -> None:
    """The rest of the piece was queued for an app that had answered: 8 MB for each upload."""

    async def run() -> tuple[Any, Any]:
        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body"})

        gateway = make(app)
        piece = _Request(gateway, await _open(gateway, 100 * len(MEGABYTE)), 0)
        for number in range(8):
            piece.arrives(MEGABYTE, more=number < 7)
            await run_ready_tasks()
        return await piece.answer(), piece.chunks.qsize()

    answer, unread = asyncio.run(run())

    assert (answer["status"], answer["expected"]) == (400, len(MEGABYTE))
    assert unread  # by the gateway: it stays with the server, which has a bound


@pytest.mark.parametrize("steps", range(3))
def test_a_piece_that_is_retried_while_it_arrives_is_taken_once(steps: int) -> None:
    """Its old request got a chunk in the moment in which it was ended: the app got that twice."""

    async def run() -> tuple[bytes, Any]:
        read = bytearray()

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            more = True
            while more:
                message = await receive()
                read.extend(message["body"])
                more = message["more_body"]
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        gateway = make(app)
        upload_id = await _open(gateway, 10)
        old = _Request(gateway, upload_id, 0)
        await run_ready_tasks()  # until it waits for its body
        retry = _Request(gateway, upload_id, 0)
        for _ in range(steps):
            await asyncio.sleep(0)
        old.arrives(b"abcde", more=True)
        await run_ready_tasks()
        retry.arrives(b"abcde")
        expected = (await retry.answer())["expected"]
        await old.answer()
        rest = _Request(gateway, upload_id, expected)
        rest.arrives(b"abcdefghij"[expected:])
        answer = await rest.answer()
        return bytes(read), answer

    read, answer = asyncio.run(run())

    assert read == b"abcdefghij"
    assert answer["status"] == 204
