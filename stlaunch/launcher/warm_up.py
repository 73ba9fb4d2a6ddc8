"""Run the script once before the first visitor, and act on the result."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from stlaunch import streamlit_adapter
from stlaunch.gateway.state import Readiness

logger = logging.getLogger(__name__)

PAUSES_S = (1.0, 2.0, 4.0, 8.0)
WARMING_UP = "warming up"


async def warm_up(readiness: Readiness, *, pauses_s: Sequence[float] = PAUSES_S) -> None:
    """Accept sessions after one run without an error, in a session of its own.

    The run also registers the app's components and fills its caches. It is retried after 1, 2, 4
    and 8 seconds; then the app stays not ready, and logs that, until it is restarted.
    """
    tries = len(pauses_s) + 1
    problem = ""
    for number, pause_s in enumerate((*pauses_s, None), start=1):
        began = time.monotonic()
        problem = await streamlit_adapter.run_once()
        if not problem:
            readiness.not_warm = ""
            logger.info("The warm-up run took %.1f s; the app is ready.", time.monotonic() - began)
            return
        again = "giving up" if pause_s is None else f"trying again in {pause_s:g} s"
        logger.warning("Warm-up run %s of %s: %s; %s.", number, tries, problem, again)
        if pause_s is not None:
            await asyncio.sleep(pause_s)
    readiness.not_warm = f"the warm-up failed {tries} times: {problem}"
    logger.error(
        "The app stays not ready: its warm-up failed %s times (%s). "
        "Fix the script's error above and restart the app.",
        tries,
        problem,
    )
