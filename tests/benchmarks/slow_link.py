"""A slow link in a process of its own: each byte and each new connection waits, WebSockets too.

The browser's own throttle leaves WebSockets alone, and at times stops reading for good.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

ROUND_TRIP_S = 0.060
BYTES_PER_S = 20_000_000 / 8
_CHUNK = 16 * 1024


@contextmanager
def slow_link(port: int) -> Iterator[int]:
    """Relay to a port of this machine until the block ends; yield the port to ask instead."""
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_run, args=(port, theirs), daemon=True)
    process.start()
    theirs.close()  # or a process that did not come up would be waited for without an end
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _run(port: int, parent: Connection) -> None:
    asyncio.run(_serve(port, parent))


async def _serve(port: int, parent: Connection) -> None:
    lanes = _Lane(), _Lane()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(ROUND_TRIP_S)  # the TCP handshake
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            lanes[0].carry(reader, there_writer), lanes[1].carry(there_reader, writer)
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_CHUNK)
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Lane:
    """One direction of the link, which all connections share."""

    def __init__(self) -> None:
        self._free_at = 0.0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what comes, late; the end as well."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        delivering = asyncio.ensure_future(_deliver(on_the_way, writer))
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(_CHUNK):
                self._free_at = max(self._free_at, loop.time()) + len(data) / BYTES_PER_S
                await on_the_way.put((self._free_at + ROUND_TRIP_S / 2, data))
                await asyncio.sleep(self._free_at - loop.time())
        except ConnectionError:
            pass
        await on_the_way.put((loop.time() + ROUND_TRIP_S / 2, b""))
        await delivering


async def _deliver(
    on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, data = await on_the_way.get()
        await asyncio.sleep(due - loop.time())
        try:
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()
        except ConnectionError:
            continue  # read on to the end, so that the sender is never stuck
