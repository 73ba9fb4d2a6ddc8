"""This process: its id among the replicas, and the versions it runs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import field
from importlib.metadata import PackageNotFoundError, version

from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """This process.

    Attributes:
        versions: of the software that runs in it.
        id: differs between replicas, and changes with a restart.
        started_at: Unix time.
        begun_at: the same moment in monotonic seconds.
    """

    versions: Mapping[str, str]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started_at: float = field(default_factory=time.time)
    begun_at: float = field(default_factory=time.monotonic)


def installed_versions() -> dict[str, str]:
    """Return the versions that a report about a problem needs."""
    return {name: _version(name) for name in ("stlaunch", "streamlit", "starlette", "uvicorn")}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # its modules come from a package with another name
        return "unknown"
