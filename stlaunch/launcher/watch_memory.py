"""Warn before the kernel kills the process for its memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from stlaunch.gateway.monitor.findings import memory_almost_full
from stlaunch.process.memory import Memory, read_memory

logger = logging.getLogger(__name__)

_LOOK_S = 15.0
_RELAXED = 0.8


async def watch_memory(
    read: Callable[[], Memory] = read_memory, *, every_s: float = _LOOK_S
) -> None:
    """Log STL610 at 90 % of the cgroup's limit, and again only after a drop below 80 %."""
    is_reported = False
    while True:
        memory = read()
        if memory.is_almost_full and not is_reported:
            is_reported = True
            finding = memory_almost_full(memory)
            logger.warning("%s %s. %s", finding.code, finding.title, finding.fix)
        elif memory.share is None or memory.share < _RELAXED:
            is_reported = False
        await asyncio.sleep(every_s)
