"""Keep learned public paths across restarts: open tabs do not report them again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from stlaunch.storage.state_folder import write_private
from stlaunch.urls.base_path import BasePath

Paths: TypeAlias = tuple[BasePath, ...]


class Debounced:
    """Keep paths at once, then at most one more time per pause, however often they change.

    Strangers can cause changes: each would be a write and a log line. Writes run in a thread, one
    at a time, because a slow disk must not delay the app's sessions.

    Args:
        keep: the function to call, in a thread of its own.
        pause_s: the least time between two calls.
    """

    def __init__(self, keep: Callable[[Paths], None], *, pause_s: float = 10.0) -> None:
        self.keep = keep
        self.pause_s = pause_s
        self._latest: Paths | None = None
        self._work: asyncio.Task[None] | None = None

    def __call__(self, paths: Paths) -> None:
        """Schedule a call; from the event loop."""
        self._latest = paths
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run(), name="learned paths")

    async def _run(self) -> None:
        while self._latest is not None:
            paths, self._latest = self._latest, None
            await asyncio.to_thread(self.keep, paths)
            await asyncio.sleep(self.pause_s)


def read_learned(state: Path | None) -> tuple[BasePath, ...]:
    """Return the public paths that an earlier process learned."""
    if state is None:
        return ()
    try:
        texts = json.loads((state / "paths.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    found = [BasePath.parse_forwarded(text or "/") for text in texts if isinstance(text, str)]
    return tuple(path for path in found if path is not None)


def write_learned(state: Path | None, paths: tuple[BasePath, ...]) -> None:
    """Keep learned paths for the next process; silently skip that if nothing is writable."""
    if state is not None:
        with contextlib.suppress(OSError):
            write_private(state / "paths.json", json.dumps([path.value for path in paths]))
