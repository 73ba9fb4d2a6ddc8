"""The socket that the app listens on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest
from starlette.types import Receive, Scope, Send

from stlaunch.server import serve as server
from stlaunch.server.listener import bind_tcp
from stlaunch.streamlit_adapter import WebSocketOptions


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """The loop wakes rarely; a stop does not wait for it."""
    monkeypatch.setattr(server, "_TICK_S", 3600.0)
    seen: list[str] = []

    def send_the_signal() -> None:
        # From a thread, as from outside: the event loop is asleep by then.
        threading.Timer(0.2, os.kill, [os.getpid(), number]).start()

    _serve(on_ready=send_the_signal, seen=seen)
    assert seen == ["lifespan", "stopped"]


def _serve(*, on_ready: Callable[[], None], seen: list[str]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def on_stop() -> None:
        seen.append("stopped")

    server.serve(
        app,
        bind_tcp("127.0.0.1", 0),
        websocket=WebSocketOptions(
            ping_interval_s=30, ping_timeout_s=30, max_message_bytes=1000, is_compressed=False
        ),
        tls=None,
        on_ready=on_ready,
        on_stop=on_stop,
    )
