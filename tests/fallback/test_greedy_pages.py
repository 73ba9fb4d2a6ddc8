"""A page that asks for too much: its own tunnel waits, and everybody else is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Message

from stlaunch.gateway.tunnel.frames import FRAGMENT_BYTES, Flags, Frame, FrameReader
from stlaunch.gateway.tunnel.registry import TunnelLimits, TunnelRegistry
from stlaunch.gateway.tunnel.tunnel import MAX_UNREAD_MESSAGES
from tests.asgi.driver import make_scope
from tests.fallback import app as small_app

TUNNEL = "/app/_stlaunch/tunnel"
MAX_UNFINISHED_BYTES = 5_000_000
TINY = Frame(1, Flags.FINAL, b"").encode()


class _Client:
    """One request, whose answer is read as far as the test says.

    As a real server does, `send` waits while the client has not read what was sent before.
    """

    def __init__(self, body: bytes = b"", *, reads: bool = True) -> None:
        self.body = body
        self.status = 0
        self.answer = bytearray()
        self.unread_bytes = 0
        self.is_answered = asyncio.Event()
        self.may_read = asyncio.Event()
        if reads:
            self.may_read.set()

    async def receive(self) -> Message:
        """ASGI's receive."""
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: Message) -> None:
        """ASGI's send."""
        if self.unread_bytes:
            await self.may_read.wait()
        self.status = message.get("status", self.status)
        self.is_answered.set()
        body = message.get("body", b"")
        self.answer += body
        self.unread_bytes = 0 if self.may_read.is_set() else self.unread_bytes + len(body)


class _Gateway:
    """The composed app, in this loop, with one tunnel open."""

    def __init__(self, app: Any, registry: TunnelRegistry) -> None:
        self.app = app
        self.registry = registry
        self.id = ""

    async def open(self, protocols: str = "streamlit") -> None:
        """Open the tunnel."""
        client = _Client()
        opening = [("origin", "http://testserver"), ("x-stlaunch-protocols", protocols)]
        scope = make_scope(TUNNEL, [*_HEADERS, *opening], method="POST")
        await self.app(scope, client.receive, client.send)
        self.id = json.loads(client.answer)["id"]

    def request(self, method: str, client: _Client, query: str = "ack=0") -> Awaitable[None]:
        """Make a request of the tunnel."""
        scope = make_scope(f"{TUNNEL}/{self.id}", _HEADERS, method=method)
        scope["query_string"] = query.encode()
        done: Awaitable[None] = self.app(scope, client.receive, client.send)
        return done

    async def put(self, body: bytes) -> Any:
        """Send bytes; return the answer."""
        client = _Client(body)
        await self.request("POST", client)
        return json.loads(client.answer)


_HEADERS = [("host", "testserver"), ("x-stlaunch", "1")]


def _run(test: Callable[[_Gateway], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        limits = TunnelLimits(poll_s=30.0, max_unfinished_bytes=MAX_UNFINISHED_BYTES)
        app, registry = small_app.make(limits=limits)
        gateway = _Gateway(app, registry)
        await gateway.open()
        try:
            return await asyncio.wait_for(test(gateway), 60)
        finally:
            await registry.stop()

    return asyncio.run(run())


def test_one_request_delivers_a_bounded_number_of_frames() -> None:
    """466,033 frames without a meaning took 1.2 s; with correct numbers 13 s, and 118 MB."""

    async def test(gateway: _Gateway) -> list[int]:
        same = await gateway.put(TINY * 400_000)
        numbered = b"".join(Frame(n, Flags.FINAL, b"").encode() for n in range(2, 100_001))
        return [same["ack"], (await gateway.put(numbered))["ack"]]

    assert _run(test) == [1, 1 + MAX_UNREAD_MESSAGES]


def test_others_get_their_turn_while_messages_are_read() -> None:
    """An app that always has its next message ready used to never yield to the loop."""

    async def test(gateway: _Gateway) -> tuple[int, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count())
        frames = b"".join(Frame(n, Flags.FINAL, b"x").encode() for n in range(1, 201))
        ack = (await gateway.put(frames))["ack"]
        await gateway.request("GET", _Client(), "ack=199")  # until the app has answered the last
        other.cancel()
        return ack, turns

    ack, turns = _run(test)

    assert ack == 200
    assert turns > 200


def test_tunnels_are_opened_one_after_the_other() -> None:
    """Fifty at once were a fifth of a second of work, for which every click of others waited."""

    async def test(gateway: _Gateway) -> tuple[int, int]:
        at_once = 0

        async def watch() -> None:
            nonlocal at_once
            seen = 1
            while True:
                tunnels = gateway.registry._tunnels.values()
                opened = sum(tunnel._opening.done() for tunnel in tunnels)
                at_once, seen = max(at_once, opened - seen), opened
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(gateway.open() for _ in range(20)))
        watching.cancel()
        return at_once, len(gateway.registry)

    assert _run(test) == (1, 21)


def test_those_that_the_app_does_not_accept_hold_up_nobody() -> None:
    """As many as open at a time, and then one more."""

    async def test(gateway: _Gateway) -> int:
        slow = [asyncio.create_task(gateway.open("slow")) for _ in range(3)]
        await gateway.open()
        is_waiting = [not task.done() for task in slow]
        for task in slow:
            task.cancel()
        return sum(is_waiting)

    assert _run(test) == 3


def test_unread_polls_hold_one_answer() -> None:
    """60 of them, each with 10 MB that nobody reads, held 851 MB."""

    async def test(gateway: _Gateway) -> tuple[int, int, bytes]:
        await gateway.put(Frame(1, Flags.FINAL, b"flood 10 1000000").encode())
        polls = [_Client(reads=False) for _ in range(60)]
        tasks = [asyncio.ensure_future(gateway.request("GET", poll)) for poll in polls]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(tasks[:-1])
        still_open = sum(not task.done() for task in tasks)
        held = sum(poll.unread_bytes for poll in polls)
        polls[-1].may_read.set()
        await tasks[-1]
        return still_open, held, bytes(polls[-1].answer)

    still_open, held, answer = _run(test)
    frames = list(FrameReader().read(answer))

    assert still_open == 1
    assert held <= 60 * 2 * FRAGMENT_BYTES
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    assert sum(len(frame.payload) for frame in frames) > 3_000_000


def test_a_newer_request_ends_one_that_waits_with_half_a_body() -> None:
    """Its connection is dead: what was whole has been taken, and the page sends the rest again."""

    async def test(gateway: _Gateway) -> tuple[Any, Any]:
        first, second = (Frame(n, Flags.FINAL, b"hello").encode() for n in (1, 2))
        half, began = _Client(), asyncio.Event()
        parts = [{"type": "http.request", "body": first + second[:7], "more_body": True}]

        async def receive() -> Message:
            if parts:
                return parts.pop()
            began.set()
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        half.receive = receive  # type: ignore[method-assign]
        old = asyncio.ensure_future(gateway.request("POST", half))
        await began.wait()
        new = await gateway.put(first + second)
        await old
        return json.loads(half.answer), new

    assert _run(test) == ({"ack": 2}, {"ack": 2})


def test_an_end_that_nobody_reads_leaves_nothing() -> None:
    """A tunnel that is given up takes its waiting requests with it."""

    async def test(gateway: _Gateway) -> list[str]:
        await gateway.put(Frame(1, Flags.FINAL, b"flood 10 1000000").encode())
        poll_client = _Client(reads=False)
        poll = asyncio.ensure_future(gateway.request("GET", poll_client))
        await poll_client.is_answered.wait()
        (tunnel,) = gateway.registry._tunnels.values()
        gateway.registry.remove(tunnel)
        await tunnel.end()
        await poll
        return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("tunnel ")]

    assert [name for name in _run(test) if "sweeper" not in name] == []


def test_a_closed_tunnel_keeps_nothing_of_what_still_arrives() -> None:
    """The app reads no more: without an end, whole messages and parts piled up."""

    async def test(gateway: _Gateway) -> tuple[list[int], int, int]:
        await gateway.put(Frame(1, Flags.FINAL, b"close").encode())
        await gateway.request("GET", _Client())  # until the app has closed
        (tunnel,) = gateway.registry._tunnels.values()
        flags = (Flags.FINAL, Flags.FINAL, Flags.MORE, Flags.MORE)
        acks = [
            (await gateway.put(Frame(number, flag, bytes(1_000_000)).encode()))["ack"]
            for number, flag in enumerate(flags, 2)
        ]
        return acks, tunnel._unread.qsize(), tunnel.unfinished_bytes

    acks, unread, unfinished = _run(test)

    assert acks == [2, 3, 4, 5]
    assert unread == 0
    assert unfinished == 0


def test_unfinished_messages_are_bounded_in_all_tunnels_together() -> None:
    """Each may be as large as the largest message, and one address may have 256 tunnels."""

    async def test(gateway: _Gateway) -> tuple[int, list[int], Any]:
        registry, most = gateway.registry, 0
        others = [_Gateway(gateway.app, registry) for _ in range(6)]
        for other in others:
            await other.open()
            size = 900_000 if other is others[3] else 800_000
            parts = [Frame(number, Flags.MORE, bytes(size)) for number in (1, 2, 3)]
            await other.put(b"".join(part.encode() for part in parts))
            most = max(most, sum(one.unfinished_bytes for one in registry._tunnels.values()))
        closed = [registry._tunnels[other.id].is_closed for other in others]
        usual = await gateway.put(Frame(1, Flags.FINAL, b"hello").encode())
        return most, [n for n, is_closed in enumerate(closed) if is_closed], usual

    most, closed, usual = _run(test)

    assert most <= MAX_UNFINISHED_BYTES
    assert len(closed) == 4
    assert usual == {"ack": 1}


def test_a_tunnel_whose_app_has_ended_keeps_nothing_unread() -> None:
    """What the app had left unread, up to 32 MB, stayed while its page asked without reading."""

    async def test(gateway: _Gateway) -> tuple[int, int]:
        messages = [Frame(1, Flags.FINAL, b"close"), Frame(2, Flags.FINAL, bytes(1_000_000))]
        ack = (await gateway.put(b"".join(frame.encode() for frame in messages)))["ack"]
        await gateway.request("GET", _Client())  # until the app has closed
        (tunnel,) = gateway.registry._tunnels.values()
        await small_app.run_ready_tasks()
        return ack, tunnel._unread.qsize()

    assert _run(test) == (2, 0)
