"""Let the app open WebSockets one at a time, with pauses for the sessions it already has.

A new session takes some milliseconds of the event loop. With fifty at once, as after a restart or
in an attack, every click of open sessions would queue behind all of them.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.gateway.state import Readiness

_LOOK_S = 0.002
"""How long an app may await other tasks between the handshake and creating the session."""
_PAUSE_FACTOR = 2
"""Open sockets get the event loop for twice as long as an opening took."""
_MAX_PAUSE_S = 0.1
"""Something else may have blocked the loop for seconds: new visitors do not wait for it again."""
_MAX_WAIT_S = 2.0
"""If openings are slow, or somebody queues very many, a handshake opens after this time anyway."""


class OpeningTurnsMiddleware:
    """Hold handshakes back while earlier ones keep the event loop busy; refuse none.

    Each waits for a bounded time, and is then opened without a turn. An accepted socket is not
    wrapped, and a refused one ends its turn at once.

    Args:
        app: the rest of the stream's chain.
        readiness: counts the handshakes that wait here; a drain waits for them.
    """

    def __init__(self, app: ASGIApp, *, readiness: Readiness) -> None:
        self.app = app
        self.readiness = readiness
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_free = asyncio.Semaphore()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one handshake."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # as in tests of an app: turns of a closed loop never end
            self._loop, self._is_free = loop, asyncio.Semaphore()
        turn = await self._take_turn(loop)
        try:
            await self.app(scope, receive, send)
        finally:
            if turn is not None:
                turn.end()

    async def _take_turn(self, loop: asyncio.AbstractEventLoop) -> _Turn | None:
        """Wait for the turn; None for a handshake that goes ahead without one."""
        self.readiness.waiting += 1
        try:
            async with asyncio.timeout(_MAX_WAIT_S):
                await self._is_free.acquire()
        except TimeoutError:
            return None
        finally:
            self.readiness.waiting -= 1
        if self.readiness.is_draining:  # refusing takes no time
            self._is_free.release()
            return None
        return _Turn(loop, self._is_free)


class _Turn:
    """The right to be opened: it ends when the loop is free again, or with the handshake."""

    __slots__ = ("_began_at", "_is_free", "_look", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, is_free: asyncio.Semaphore) -> None:
        self._loop = loop
        self._is_free = is_free
        self._began_at = loop.time()
        self._look: asyncio.TimerHandle | None = loop.call_later(_LOOK_S, self.end)

    def end(self) -> None:
        """Pass the turn on after a pause, once. The timer is late by the time the loop was busy."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
            took_s = self._loop.time() - self._began_at
            self._loop.call_later(pause_after(took_s), self._is_free.release)


def pause_after(busy_s: float) -> float:
    """Return how many seconds to open no socket after an opening that took `busy_s`."""
    return min(_PAUSE_FACTOR * busy_s, _MAX_PAUSE_S)
