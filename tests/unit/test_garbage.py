"""Garbage is collected when the app is quiet, and at the latest half a minute after a run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from dataclasses import replace

import pytest

from stlaunch.process.garbage import Sample, collect_when_quiet, is_due, take_sample

MIB = 1024 * 1024
AT_REST = Sample(at=100.0, processor_s=5.0, young=7, memory_bytes=150 * MIB)


def after(seconds: float, *, used_s: float = 0.0, young: int = 1, grown: int = 0) -> Sample:
    return Sample(
        at=AT_REST.at + seconds,
        processor_s=AT_REST.processor_s + used_s,
        young=AT_REST.young + young,
        memory_bytes=AT_REST.memory_bytes + grown * MIB,
    )


@pytest.mark.parametrize(
    ("now", "before", "is_expected"),
    [
        pytest.param(after(3), after(2), True, id="a quiet second"),
        pytest.param(after(3, used_s=0.9), after(2), False, id="a busy second"),
        pytest.param(after(30, used_s=29), after(29, used_s=28), True, id="busy for long"),
        pytest.param(after(60, young=0), after(59, young=0), False, id="nothing was made"),
        pytest.param(after(2, used_s=1, grown=100), after(1), True, id="much memory"),
        pytest.param(after(2, used_s=1, grown=90), after(1), False, id="not that much memory"),
    ],
)
def test_when_it_is_due(now: Sample, before: Sample, *, is_expected: bool) -> None:
    assert is_due(AT_REST, before, now, took_s=0.05) is is_expected


def test_long_collections_come_rarely() -> None:
    """Two percent of the time, at quiet moments."""
    assert not is_due(AT_REST, after(9), after(10), took_s=0.3)
    assert is_due(AT_REST, after(14), after(15), took_s=0.3)


class _Cycle:
    """Only a collection removes it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_run_left_is_gone_soon_after() -> None:
    """Also what has grown old meanwhile."""

    async def run() -> None:
        found = weakref.ref(_Cycle())
        task = asyncio.create_task(collect_when_quiet(look_s=0.001, sample=_quiet()))
        try:
            while found() is not None:  # noqa: ASYNC110 - the collector tells nobody
                await asyncio.sleep(0)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    gc.disable()
    try:
        asyncio.run(asyncio.wait_for(run(), 60))
    finally:
        gc.enable()


def _quiet() -> object:
    """Give samples of a process in which something was made, and which is at rest by now."""
    young = 0

    def sample() -> Sample:
        nonlocal young
        young += 1
        return replace(AT_REST, at=AT_REST.at + young, young=young)

    return sample


def test_a_sample_is_of_this_process() -> None:
    first = take_sample()
    gc.collect(0)
    second = take_sample()

    assert second.young == first.young + 1
    assert second.at >= first.at
    assert second.processor_s >= first.processor_s
    assert first.memory_bytes > 10 * MIB
