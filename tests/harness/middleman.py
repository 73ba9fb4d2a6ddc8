"""A hop that does what bad hops do: to handshakes, to responses, to request bodies.

One request a connection, so that each can be met with its own fate. It runs in a thread, on
loopback, and changes nothing that it is not asked to.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import random
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


@dataclass
class Behaviour:
    """What the hop does; can be changed while it runs."""

    handshake: str = "pass"
    """`pass`, an HTTP status, `close` (accept, then close), `hang`, `no-subprotocol`,
    `other-subprotocol`."""
    trouble: float = 0.0
    """The share of tunnel requests that are cut, answered 502 or 504, or made twice."""
    seed: int = 0
    largest_body: int | None = None
    """Request bodies above it are answered 413, or cut with `cuts_bodies`."""
    cuts_bodies: bool = False
    buffers: bool = False
    """Responses go out when they are complete."""
    is_down: bool = False
    """Every connection is closed at once."""
    seen: list[str] = field(default_factory=list)
    """What became of each troubled request."""
    asked: list[str] = field(default_factory=list)
    """Method and address of each request."""


@dataclass
class Middleman:
    """A running hop.

    Attributes:
        port: where it listens on 127.0.0.1.
        behaviour: what it does.
        cut: breaks every connection that is open.
    """

    port: int
    behaviour: Behaviour
    cut: Callable[[], object]


@contextmanager
def start_middleman(
    upstream_port: int, behaviour: Behaviour, *replicas: int
) -> Iterator[Middleman]:
    """Run a hop in front of an upstream on loopback until the block ends.

    With `replicas` it hands requests to each upstream in turn, as a load balancer does.
    """
    loop = asyncio.new_event_loop()
    hop = _Hop((upstream_port, *replicas), behaviour)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    starting = asyncio.start_server(hop.serve, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    try:
        yield Middleman(
            port=server.sockets[0].getsockname()[1],
            behaviour=behaviour,
            cut=lambda: loop.call_soon_threadsafe(hop.cut),
        )
    finally:
        asyncio.run_coroutine_threadsafe(hop.stop(server), loop).result(15)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Hop:
    def __init__(self, upstream_ports: tuple[int, ...], behaviour: Behaviour) -> None:
        self.upstream_ports = itertools.cycle(upstream_ports)
        self.behaviour = behaviour
        self.chance = random.Random(behaviour.seed)
        self.writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break every connection."""
        for writer in set(self.writers):
            writer.transport.abort()

    async def stop(self, server: asyncio.Server) -> None:
        """Cut every connection and wait until nothing runs and no socket is open any more."""
        # Closed only once what was accepted is served: in Python 3.11 a server forgets its sockets
        # when it is closed, and fails on connections that are on their way from them.
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening)
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            self.cut()
            await asyncio.wait(tasks, timeout=0.1)
        server.close()

    @asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        """Let `cut` find the connection; it is closed when the block has ended."""
        self.writers.add(writer)
        try:
            yield
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self.writers.discard(writer)

    @asynccontextmanager
    async def _upstream(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", next(self.upstream_ports))
        async with self._kept(writer):
            try:
                yield reader, writer
            finally:
                writer.transport.abort()  # what it has not taken by now is of no use to it

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            async with self._kept(writer):
                if self.behaviour.is_down:
                    return
                head = await reader.readuntil(b"\r\n\r\n")
                self.behaviour.asked.append(head.partition(b" HTTP/")[0].decode("latin-1"))
                if re.search(rb"\r\nupgrade: websocket\r\n", head, re.IGNORECASE):
                    await self._handshake(head, reader, writer)
                else:
                    await self._request(head, reader, writer)

    async def _handshake(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        mode = self.behaviour.handshake
        if mode.isdigit():
            writer.write(f"HTTP/1.1 {mode} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        elif mode == "hang":
            await reader.read()
        elif mode == "close":
            key = re.search(rb"\r\nsec-websocket-key: (\S+)", head, re.IGNORECASE)
            digest = hashlib.sha1((key[1] if key else b"") + _WEBSOCKET_GUID).digest()
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Protocol: streamlit\r\nSec-WebSocket-Accept: "
                + base64.b64encode(digest)
                + b"\r\n\r\n\x88\x00"
            )
            await writer.drain()
        else:
            async with self._upstream() as (up_reader, up_writer):
                up_writer.write(head)
                answer = await up_reader.readuntil(b"\r\n\r\n")
                named = b"Sec-WebSocket-Protocol: chat\r\n" if mode.startswith("other") else b""
                if mode != "pass":
                    answer = re.sub(rb"(?i)sec-websocket-protocol: [^\r]*\r\n", named, answer)
                writer.write(answer)
                await asyncio.gather(_pipe(reader, up_writer), _pipe(up_reader, writer))

    async def _request(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        size = int(length[1]) if length else 0
        limit = self.behaviour.largest_body
        if limit is not None and size > limit:
            if not self.behaviour.cuts_bodies:
                writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n")
                writer.write(b"Connection: close\r\n\r\n")
                await writer.drain()
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await reader.readexactly(size)
            return
        body = await reader.readexactly(size)
        head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
        request = head[:-2] + b"Connection: close\r\n\r\n" + body
        fate = self._fate(head)
        if fate == "502":
            await _answer(writer, 502)
            return
        if fate == "twice":
            await self._fetch(request)
        if fate == "504":
            await self._fetch(request)
            await _answer(writer, 504)
        elif fate == "cut":
            whole = await self._fetch(request)
            writer.write(whole[: self.chance.randrange(len(whole) + 1)])
            await writer.drain()
        elif self.behaviour.buffers:
            writer.write(await self._fetch(request))
            await writer.drain()
        else:
            async with self._upstream() as (up_reader, up_writer):
                up_writer.write(request)
                gone = asyncio.create_task(reader.read())
                pipe = asyncio.create_task(_pipe(up_reader, writer))
                await asyncio.wait({gone, pipe}, return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
                up_writer.transport.abort()
                await asyncio.gather(pipe, gone, return_exceptions=True)

    def _fate(self, head: bytes) -> str:
        is_tunnel = b"/_stlaunch/tunnel/" in head.split(b"\r\n", 1)[0]
        if not is_tunnel or self.chance.random() >= self.behaviour.trouble:
            return "pass"
        fate = self.chance.choice(["502", "504", "cut", "twice"])
        self.behaviour.seen.append(fate)
        return fate

    async def _fetch(self, request: bytes) -> bytes:
        async with self._upstream() as (reader, writer):
            writer.write(request)
            return await reader.read()


async def _answer(writer: asyncio.StreamWriter, status: int) -> None:
    writer.write(f"HTTP/1.1 {status} Trouble\r\nContent-Length: 0\r\n".encode())
    writer.write(b"Connection: close\r\n\r\n")
    await writer.drain()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
