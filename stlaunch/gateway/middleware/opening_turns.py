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
_MAX_PAUSE_S = 0.1
"""Something else may have kept the loop, for seconds: new visitors do not wait for that twice."""
_MAX_WAIT_S = 2.0
"""Where openings are slow, or somebody keeps very many of them waiting, all others go ahead."""


class OpeningTurnsMiddleware:
    """Hold handshakes back while the ones before them keep the event loop; refuse none.

    Each waits for a bounded time, and is then opened without a turn. An accepted socket is not
    wrapped, and one that is refused gives its turn back at once.

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
        try:
            async with asyncio.timeout(_MAX_WAIT_S):
                await self._is_free.acquire()
        except TimeoutError:
            await self.app(scope, receive, send)
            return
        turn = _Turn(loop, self._is_free)
        try:
            await self.app(scope, receive, send)
        finally:
            turn.end()


class _Turn:
    """The right to be opened: it ends when the loop comes back, or with the handshake."""

    __slots__ = ("_began_at", "_is_free", "_look", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, is_free: asyncio.Semaphore) -> None:
        self._loop = loop
        self._is_free = is_free
        self._began_at = loop.time()
        self._look: asyncio.TimerHandle | None = loop.call_later(_LOOK_S, self.end)

    def end(self) -> None:
        """Pass it on after a pause; once. The look comes late by as long as the loop was busy."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
            took_s = self._loop.time() - self._began_at
            self._loop.call_later(pause_after(took_s), self._is_free.release)


def pause_after(busy_s: float) -> float:
    """Return for how many seconds nobody is opened, after an opening that took `busy_s`."""
    return min(_PAUSE_FACTOR * busy_s, _MAX_PAUSE_S)
