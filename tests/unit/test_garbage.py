"""Old objects are passed over for a while, and no garbage stays for longer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from collections.abc import Iterator
from types import ModuleType

import pytest

from stlaunch.process.garbage import keep_collections_short


class _Cycle:
    """Only a collection removes it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    gc.collect()
    gc.unfreeze()  # Python 3.12 begins with a few objects set aside
    yield
    gc.unfreeze()


def test_what_a_script_imported_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after, and not only when the time has come."""

    async def run() -> int:
        async with _kept_short(every_s=1000):
            for number in range(100):
                monkeypatch.setitem(sys.modules, f"imported_{number}", ModuleType("imported"))
            while not gc.get_freeze_count():  # noqa: ASYNC110 - the collector tells nobody
                await asyncio.sleep(0)
            return gc.get_freeze_count()

    assert asyncio.run(run()) > 10_000


def test_garbage_among_what_was_set_aside_is_collected_after_a_run() -> None:
    """A session that was open when everything was set aside, and has left since."""

    async def run() -> tuple[bool, bool]:
        session = _Cycle()
        found = weakref.ref(session)
        gc.freeze()
        del session
        gc.collect()  # as Streamlit does after each run
        is_passed_over = found() is not None
        async with _kept_short(every_s=0.02):
            while found() is not None:
                gc.collect()
                await asyncio.sleep(0)
        return is_passed_over, gc.get_freeze_count() > 0

    assert asyncio.run(run()) == (True, True)


def test_nothing_is_done_where_no_script_runs() -> None:
    async def run() -> int:
        looks = 0

        def clock() -> float:
            nonlocal looks
            looks += 1
            return 0.0

        async with _kept_short(every_s=0, clock=clock):
            await asyncio.sleep(0.05)
        return gc.get_freeze_count() + looks

    gc.disable()  # or pytest's own garbage counts as a run
    try:
        assert asyncio.run(run()) == 1  # the look at its start
    finally:
        gc.enable()


@contextlib.asynccontextmanager
async def _kept_short(*, every_s: float, **more: object) -> Iterator[None]:
    task = asyncio.create_task(keep_collections_short(look_s=0.001, every_s=every_s, **more))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
