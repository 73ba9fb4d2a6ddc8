"""A stop is exit 0, and the app's lifespan ends, whatever happens meanwhile."""

from __future__ import annotations

import threading

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from stlaunch.server.listener import bind_tcp
from stlaunch.server.serve import serve
from stlaunch.streamlit_adapter import WebSocketOptions


def test_a_client_that_leaves_during_the_drain_does_not_fail_the_stop() -> None:
    """It was exit 70, and the app's own shutdown never ran."""
    events: list[str] = []
    stop = threading.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            events.append(kind)
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def drain() -> None:
        raise WebSocketDisconnect(1006)

    code = serve(
        app,
        bind_tcp("127.0.0.1", 0),
        websocket=WebSocketOptions(
            ping_interval_s=30, ping_timeout_s=30, max_message_bytes=1000, is_compressed=False
        ),
        tls=None,
        on_ready=stop.set,
        on_stop=drain,
        stop=stop,
    )

    assert code == 0
    assert events == ["lifespan.startup", "lifespan.shutdown"]
