"""Let the app open one WebSocket after the other, with pauses for the sessions that it has.

A new session is some milliseconds of the event loop's time. Fifty at once, as after a restart or in
an attack, would stand in one queue with everybody's clicks, which then wait for all of them.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

_LOOK_S = 0.002
"""How long an app may wait for others between the handshake and the session that it makes."""
_PAUSE_FACTOR = 2
"""What is open has the event loop for twice as long as an opening took."""


class OpeningTurnsMiddleware:
    """Hold handshakes back while the ones before them keep the event loop; refuse none.

    An accepted socket is not wrapped.

    Args:
        app: the rest of the stream's chain.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_free = asyncio.Semaphore()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one handshake."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # as in tests of an app: the turns of an ended one never end
            self._loop, self._is_free = loop, asyncio.Semaphore()
        await self._is_free.acquire()
        loop.call_later(_LOOK_S, self._end_turn, self._is_free, loop.time())
        await self.app(scope, receive, send)

    def _end_turn(self, is_free: asyncio.Semaphore, began_at: float) -> None:
        """Measure how long the loop was busy: it comes here late by just that."""
        loop = asyncio.get_running_loop()
        loop.call_later(_PAUSE_FACTOR * (loop.time() - began_at), is_free.release)
