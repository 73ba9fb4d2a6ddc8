"""The socket that the app listens on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from stlaunch.server import bind_tcp


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_accepted_connections_never_wait_for_an_ack(host: str) -> None:
    """With Nagle's algorithm the end of each rerun waits 40 ms for the client's delayed ACK."""
    assert asyncio.run(_nodelay_of_an_accepted_connection(host)) != 0


async def _nodelay_of_an_accepted_connection(host: str) -> int:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def look(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = bind_tcp(host, 0)
    async with await asyncio.start_server(look, sock=listener.socket):
        _, writer = await asyncio.open_connection(host, listener.port)
        found = await accepted
        writer.close()
    return found
