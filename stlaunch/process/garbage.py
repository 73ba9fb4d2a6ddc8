"""Keep short the garbage collection that Streamlit forces after each run of the script.

It walks through every object of every imported module, each time (`runner.postScriptGC`): 65 ms of
a rerun of an app with pandas and Altair, where the run itself takes 12 (measured). So what has been
there for a while is set aside, and is collected every half a minute while scripts run. What a run
leaves behind is young, and does not wait.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable

_LOOK_S = 1.0
_EVERY_S = 30.0
# A run that imports a module or two more can wait.
_MANY_MODULES = 50


async def keep_collections_short(
    *,
    look_s: float = _LOOK_S,
    every_s: float = _EVERY_S,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Set aside what the script has imported, soon after; collect all of it every `every_s`.

    For a process of our own alone: what is set aside belongs to everything in it.
    """
    known = before = len(sys.modules)
    collections, collected = _full_collections(), clock()
    while True:
        await asyncio.sleep(look_s)
        modules = len(sys.modules)
        is_importing, before = modules != before, modules
        has_imported = modules - known > _MANY_MODULES and not is_importing
        has_run = _full_collections() != collections
        if has_imported or (has_run and clock() - collected >= every_s):
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            known, collections, collected = modules, _full_collections(), clock()


def _full_collections() -> int:
    """Return how many there were; each run of a script ends with one."""
    return int(gc.get_stats()[2]["collections"])
