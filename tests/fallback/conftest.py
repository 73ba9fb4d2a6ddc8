"""The app over real uvicorn, in a thread, for clients over real HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn

from stlaunch.gateway.tunnel.registry import TunnelRegistry
from tests.fallback import app as small_app
from tests.fallback.client import Page

Serve = Callable[..., tuple[str, TunnelRegistry]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the app; returns its address below /app/_stlaunch and its tunnels."""
    with ExitStack() as stack:

        def start(**settings: Any) -> tuple[str, TunnelRegistry]:
            app, registry = small_app.make(**settings)
            port = stack.enter_context(_serving(app, registry))
            return f"http://127.0.0.1:{port}/app/_stlaunch", registry

        yield start
        while Page.opened:
            Page.opened.pop().http.close()


@contextmanager
def _serving(app: Any, registry: TunnelRegistry) -> Iterator[int]:
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", proxy_headers=False)
    server = uvicorn.Server(config)

    async def run() -> None:
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    loop = server.servers[0].get_loop()
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(registry.stop(), loop).result(5)
        server.should_exit = True
        thread.join(15)
