"""Sockets are pinged together, and each as often as was asked for."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from stlaunch.server.pings import PingsInStep


async def _app(_scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@pytest.mark.parametrize(("interval_s", "pings"), [(30, 0), (1, 1)])
def test_sockets_are_pinged_at_whole_seconds(interval_s: int, pings: int) -> None:
    """The first time, and again after each answer."""
    asyncio.run(_look(interval_s, pings))


async def _look(interval_s: int, pings: int) -> None:
    config = uvicorn.Config(_app, ws_ping_interval=interval_s, ws_ping_timeout=30, lifespan="off")
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    sockets: list[PingsInStep] = []

    def new_socket() -> PingsInStep:
        sockets.append(PingsInStep(config, state, {}))
        return sockets[-1]

    server = await loop.create_server(new_socket, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, connect(url), connect(url), asyncio.timeout(30):
        for socket in sockets:
            while not (socket.ping_timer and bool(socket.last_ping_rtt) == bool(pings)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            due = socket.ping_timer.when()
            assert due % 1 == 0
            assert due <= loop.time() + interval_s
