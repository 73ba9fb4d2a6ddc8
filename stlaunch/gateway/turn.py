"""Allow one request of a kind at a time: a newer one ends the one before it.

A page never makes two at once. If two are open, the older one's connection is dead, or somebody is
trying to make this process hold many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Turn:
    """A turn that one request at a time can hold."""

    def __init__(self) -> None:
        self._current: asyncio.Timeout | None = None

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[None]:
        """Hold the turn while the block runs.

        Raises:
            TimeoutError: if another request takes it meanwhile, or `end` is called.
        """
        self.end()
        async with asyncio.timeout(None) as mine:
            self._current = mine
            try:
                yield
            finally:
                if self._current is mine:
                    self._current = None

    def end(self) -> None:
        """End the current turn, if there is one."""
        if self._current is not None:
            with suppress(RuntimeError):  # it is ending already
                self._current.reschedule(asyncio.get_running_loop().time())
            self._current = None
