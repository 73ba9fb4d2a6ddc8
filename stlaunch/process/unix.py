"""Refuse features that need Unix when they are used elsewhere."""

from __future__ import annotations

import os
import signal
import socket

from stlaunch.errors import StartError

UNIX_FAMILY: int = getattr(socket, "AF_UNIX", 0)
"""The address family of Unix sockets; 0 if Python has none."""
_NAMES = ((os, "killpg"), (signal, "SIGHUP"), (socket, "AF_UNIX"))


def require_unix(feature: str, *, instead: str) -> None:
    """Do nothing on Unix.

    Args:
        feature: the start of the error message, such as `stlaunch demo`.
        instead: a hint.

    Raises:
        StartError: on Windows, and anywhere else without process groups or Unix sockets.
    """
    if not all(hasattr(module, name) for module, name in _NAMES):
        raise StartError(
            f"{feature} needs the process groups and sockets of Linux or macOS, "
            "which this system does not have.",
            hint=instead,
        )
