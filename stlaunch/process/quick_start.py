"""What a process does differently until it listens, so that it listens sooner; nothing is skipped.

Measured once, with Streamlit 1.67 on one machine: about a tenth of a start went into garbage
collections that found next to nothing, and about as much into its search for components, which
parsed the metadata of each installed package four times. Other versions may differ; without this
module the app starts just the same.
"""

from __future__ import annotations

import gc
from importlib.metadata import Distribution
from typing import Any

_PARSED = "_stlaunch_parsed_metadata"
_metadata: property = vars(Distribution)["metadata"]


def begin() -> None:
    """Pause the garbage collector, and parse the metadata of a package once; before any import."""
    gc.disable()
    Distribution.metadata = property(_parsed_once)  # type: ignore[method-assign,assignment]


def end() -> None:
    """Undo `begin`, if it was called: before code of the user runs, or else when the app listens.

    What was imported mostly stays for as long as the process: later collections pass it over.
    """
    if vars(Distribution)["metadata"] is _metadata:
        return
    Distribution.metadata = _metadata  # type: ignore[method-assign,assignment]
    gc.enable()
    gc.freeze()


def _parsed_once(distribution: Distribution) -> Any:
    known = vars(distribution)
    if _PARSED not in known:
        known[_PARSED] = _metadata.__get__(distribution)
    return known[_PARSED]
