"""Run background tasks while the server runs, from ready to drained."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path

from stlaunch.gateway.composition import Composition
from stlaunch.launcher.drain import drain
from stlaunch.launcher.warm_up import WARMING_UP, warm_up
from stlaunch.launcher.watch_memory import watch_memory
from stlaunch.process.garbage import collect_when_quiet
from stlaunch.settings.model import Settings
from stlaunch.storage.running_file import RunningFile


class Lifecycle:
    """The warm-up, the memory watch, the file for `health` and `check`, and the drain.

    Args:
        settings: what the user decided.
        composition: holds the readiness and the tunnels.
        state: the app's own folder; None if nothing is writable.
        url: the address of the app on this machine.
        public_url: its address in the browser; empty if that is not known.
    """

    def __init__(
        self,
        settings: Settings,
        composition: Composition,
        *,
        state: Path | None,
        url: str,
        public_url: str,
    ) -> None:
        self.settings = settings
        self.composition = composition
        self.state = state
        self.url = url
        self.public_url = public_url
        self._tasks: list[asyncio.Task[None]] = []
        self._file: RunningFile | None = None
        if settings.warm_up.value:
            composition.readiness.not_warm = WARMING_UP

    def begin(self) -> None:
        """Start, in the server's event loop, when it listens."""
        if self.state is not None:
            with contextlib.suppress(OSError):  # `health` then asks the usual port
                self._file = RunningFile(self.state, self.url, self.public_url)
        self._start(watch_memory(), "memory watch")
        self._start(collect_when_quiet(), "garbage")
        if self.settings.warm_up.value:
            self._start(warm_up(self.composition.readiness), "warm-up")

    async def end(self) -> None:
        """Drain, while the listener is still open."""
        for task in self._tasks:
            task.cancel()
        await drain(
            self.composition.readiness,
            self.composition.tunnels,
            timeout_s=self.settings.drain_timeout.value,
        )

    def forget(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.remove()

    def _start(self, action: Coroutine[None, None, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(action, name=name))
