"""stlaunch's own log lines; nobody else's logger is touched."""

from __future__ import annotations

import logging
import sys

_FORMAT = "%(asctime)s stlaunch %(levelname)s: %(message)s"


def configure(level: int = logging.INFO) -> None:
    """Send our log to stderr, once, with a time and a level."""
    logger = logging.getLogger("stlaunch")
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%H:%M:%S"))
        logger.addHandler(handler)
        logger.propagate = False
