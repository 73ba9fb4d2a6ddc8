"""Collect garbage when the app is quiet, instead of after each run of the script.

Streamlit's own collection (`runner.postScriptGC`) walks through every object of every imported
module after each run: 65 ms of a rerun with pandas and Altair, whose script takes 12 (measured).
With that switched off, a full collection happens here: when nothing has run for a second; after
half a minute without such a second; and at once if memory has grown a lot. Python's own collections
continue as well.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

from stlaunch.process.memory import resident_bytes
from stlaunch.quick_dataclass import dataclass

_LOOK_S = 1.0
_EVERY_S = 30.0
_QUIET_SHARE = 0.05
_MAX_COST = 0.02
"""The largest share of time for collections at quiet moments: many sessions make them long."""
_GROWTH = 1.2
_GROWTH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the process has done so far.

    Attributes:
        at: the time of the sample, in seconds.
        processor_s: processor time used.
        young: collections of the young generation: objects were created, and kept for a while.
        memory_bytes: its resident memory.
    """

    at: float
    processor_s: float
    young: int
    memory_bytes: int


def take_sample() -> Sample:
    """Take a sample of this process."""
    return Sample(
        at=time.monotonic(),
        processor_s=time.process_time(),
        young=int(gc.get_stats()[0]["collections"]),
        memory_bytes=resident_bytes(),
    )


def is_due(collected: Sample, before: Sample, now: Sample, *, took_s: float) -> bool:
    """Decide whether to collect.

    Args:
        collected: right after the last full collection.
        before: the previous sample.
        now: the current sample.
        took_s: how long the last full collection took.
    """
    if now.young == collected.young:
        return False  # nothing was created that could be garbage
    if now.memory_bytes > collected.memory_bytes * _GROWTH + _GROWTH_BYTES:
        return True
    rested_s = now.at - collected.at
    is_quiet = now.processor_s - before.processor_s < _QUIET_SHARE * (now.at - before.at)
    return (is_quiet and rested_s * _MAX_COST >= took_s) or rested_s >= _EVERY_S


async def collect_when_quiet(
    *, look_s: float = _LOOK_S, sample: Callable[[], Sample] = take_sample
) -> None:
    """Collect whenever it is due, until cancelled."""
    collected = before = sample()
    took_s = 0.0
    while True:
        await asyncio.sleep(look_s)
        now = sample()
        if is_due(collected, before, now, took_s=took_s):
            gc.collect()
            collected = sample()
            took_s, now = collected.processor_s - now.processor_s, collected
        before = now
