"""WebSockets are opened one at a time, so that open ones do not wait for the whole queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send

from stlaunch.gateway.middleware import opening_turns
from stlaunch.gateway.middleware.opening_turns import OpeningTurnsMiddleware, pause_after
from stlaunch.gateway.state import Readiness


class _App:
    """Notes each handshake, and then stays open."""

    def __init__(self) -> None:
        self.opened: list[int] = []
        self.refused: frozenset[int] = frozenset()

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.opened.append(scope["number"])
        if scope["number"] < 0:
            raise ValueError
        if scope["number"] in self.refused:
            return
        await asyncio.Event().wait()


class _Gateway:
    """The layer before an app, and handshakes that come at once."""

    def __init__(self) -> None:
        self.app = _App()
        self.readiness = Readiness()
        self.layer = OpeningTurnsMiddleware(self.app, readiness=self.readiness)
        self.tasks: list[asyncio.Task[None]] = []

    def connect(self, *numbers: int) -> None:
        for number in numbers:
            handling = self.layer({"type": "websocket", "number": number}, _never, _ignore)
            self.tasks.append(asyncio.create_task(handling))

    async def until_opened(self, *numbers: int) -> None:
        """Wait for it; each turn of the loop may open one."""
        async with asyncio.timeout(30):
            while self.app.opened != list(numbers):  # noqa: ASYNC110 - the app knows of no event
                await asyncio.sleep(0)


def _run(test: Callable[[_Gateway], Awaitable[None]]) -> None:
    async def run() -> None:
        gateway = _Gateway()
        try:
            await test(gateway)
        finally:
            for task in gateway.tasks:
                task.cancel()
            await asyncio.gather(*gateway.tasks, return_exceptions=True)

    asyncio.run(run())


def test_what_is_open_has_the_loop_between_two_openings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without turns, all twenty are opened in one turn of the loop."""
    monkeypatch.setattr(opening_turns, "_MAX_WAIT_S", 3600.0)  # a busy machine's openings are slow

    async def test(gateway: _Gateway) -> None:
        at_once, seen = 0, 0
        gateway.connect(*range(20))
        while seen < 20:
            await asyncio.sleep(0)
            opened = len(gateway.app.opened)
            at_once, seen = max(at_once, opened - seen), opened
        assert at_once == 1
        assert gateway.app.opened == list(range(20))

    _run(test)


def test_an_app_that_waits_holds_up_nobody() -> None:
    """It neither accepts nor refuses yet: no work is done meanwhile."""

    async def test(gateway: _Gateway) -> None:
        gateway.connect(0, 1, 2)
        await gateway.until_opened(0, 1, 2)
        assert not any(task.done() for task in gateway.tasks)

    _run(test)


def test_those_that_wait_are_counted_for_the_drain() -> None:
    """One that leaves while it waits no longer does."""

    async def test(gateway: _Gateway) -> None:
        gateway.connect(0, 1, 2, 3)
        await gateway.until_opened(0)
        assert gateway.readiness.waiting == 3
        gateway.tasks[3].cancel()
        await gateway.until_opened(0, 1, 2)
        assert gateway.readiness.waiting == 0

    _run(test)


def test_one_that_fails_or_leaves_passes_its_turn_on() -> None:
    """The second leaves while it waits."""

    async def test(gateway: _Gateway) -> None:
        gateway.connect(-1, 1, 2)
        await gateway.until_opened(-1)
        gateway.tasks[1].cancel()
        await gateway.until_opened(-1, 2)

    _run(test)


def test_a_refused_one_gives_its_turn_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another site can make a browser send thousands that are refused: a visitor comes between."""
    monkeypatch.setattr(opening_turns, "_LOOK_S", 3600.0)

    async def test(gateway: _Gateway) -> None:
        gateway.app.refused = frozenset(range(20))
        gateway.connect(*range(21))
        await gateway.until_opened(*range(21))

    _run(test)


def test_nobody_waits_without_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit may walk the app's whole folder for each session that opens alone."""
    monkeypatch.setattr(opening_turns, "_LOOK_S", 3600.0)
    monkeypatch.setattr(opening_turns, "_MAX_WAIT_S", 0.01)

    async def test(gateway: _Gateway) -> None:
        gateway.connect(*range(20))
        await gateway.until_opened(*range(20))

    _run(test)


def test_the_pause_is_bounded() -> None:
    """A route of the app that blocks the loop for a minute costs new visitors no two more."""
    assert pause_after(0.004) == 0.008
    assert pause_after(60.0) == 0.1


def test_turns_end_with_their_event_loop() -> None:
    """A test client has one loop per connection: a turn that began in one blocks no other."""
    gateway = _Gateway()

    async def connect(number: int) -> None:
        gateway.connect(number)
        await asyncio.sleep(0)

    for number in range(3):
        asyncio.run(connect(number))

    assert gateway.app.opened == [0, 1, 2]


async def _never() -> None:
    await asyncio.Event().wait()


async def _ignore(_message: object) -> None:
    """Take a message."""
