"""Keep learned public paths across restarts: open tabs do not report them again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from stlaunch.storage.state_folder import write_private
from stlaunch.urls.base_path import BasePath


class Debounced:
    """Call something at once, and once more after a while, however often it is asked for meanwhile.

    Strangers can cause changes: each would be a write and a line of log.

    Args:
        action: what is called, in the event loop.
        pause_s: how long it is not called again.
    """

    def __init__(self, action: Callable[[], None], *, pause_s: float = 10.0) -> None:
        self.action = action
        self.pause_s = pause_s
        self._is_asked = False
        self._pause: asyncio.TimerHandle | None = None

    def __call__(self, *_changed: object) -> None:
        """Ask for it; in the event loop."""
        if self._pause is not None:
            self._is_asked = True
            return
        self._pause = asyncio.get_running_loop().call_later(self.pause_s, self._go_on)
        self.action()

    def _go_on(self) -> None:
        self._pause = None
        if self._is_asked:
            self._is_asked = False
            self()


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
    """Keep learned paths for the next process; quietly not, where nothing is writable."""
    if state is not None:
        with contextlib.suppress(OSError):
            write_private(state / "paths.json", json.dumps([path.value for path in paths]))
