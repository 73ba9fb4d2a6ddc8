"""How long whatever runs the app has to wait for its end before killing it."""

from __future__ import annotations

import math

DRAIN_S = 20.0
"""The default of `--drain-timeout`."""
_MARGIN_S = 15


def stop_timeout_s(drain_s: float) -> int:
    """Return the seconds from SIGTERM to SIGKILL: the drain timeout, and time to clean up."""
    return math.ceil(drain_s) + _MARGIN_S
