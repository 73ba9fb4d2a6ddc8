"""Allow one request of a kind at a time: a newer one ends the one before it.

A page never makes two at once. Where two are there, the older one's connection is dead, or somebody
wants this process to hold many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Turn:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._current: asyncio.Timeout | None = None

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[None]:
        """Take the turn for as long as the block lasts.

        Raises:
            TimeoutError: where another request takes it meanwhile, or nobody may have it.
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
        """End the turn that is taken, if one is."""
        if self._current is not None:
            with suppress(RuntimeError):  # it is ending already
                self._current.reschedule(asyncio.get_running_loop().time())
            self._current = None
