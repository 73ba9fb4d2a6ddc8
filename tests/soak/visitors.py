"""Visitors who come, do something and go: one event loop, and as little decoding as possible.

Owns the coming and going. It must not know who serves the app, or what a visitor does.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Self

from tests.soak.ways import Way


class Visitors:
    """Rounds of sessions, until asked to stop; use it as a context.

    Args:
        url: the app's address, with its final slash.
        ways: what they do, in turn.
        sessions: how many come in each round.
        at_once: how many are there at the same time.
        pause_s: how long each of them looks at a result.

    Attributes:
        gone: how many have come and gone, by what they did.
        trouble: what went wrong, in the words of the exception.
    """

    def __init__(
        self, url: str, *, ways: Sequence[Way], sessions: int, at_once: int, pause_s: float
    ) -> None:
        self.gone: Counter[str] = Counter()
        self.trouble: list[str] = []
        self._url = url
        self._ways = ways
        self._sessions = sessions
        self._at_once = at_once
        self._pause_s = pause_s
        self._should_stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._come_and_go()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._should_stop.set()
        self._thread.join()

    async def _come_and_go(self) -> None:
        while not self._should_stop.is_set() and not self.trouble:
            places = asyncio.Semaphore(self._at_once)
            async with asyncio.TaskGroup() as group:
                for number in range(self._sessions):
                    way = self._ways[number % len(self._ways)]
                    group.create_task(self._visit(places, way))

    async def _visit(self, places: asyncio.Semaphore, way: Way) -> None:
        async with places:
            if self._should_stop.is_set() or self.trouble:
                return
            try:
                await way(self._url, self._pause_s)
                self.gone[way.__name__] += 1
            except Exception as exc:  # noqa: BLE001 - told in the main thread
                self.trouble.append(f"{way.__name__}: {exc!r}")
