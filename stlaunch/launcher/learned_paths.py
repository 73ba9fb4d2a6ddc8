"""What outlives a restart: public paths, which open tabs do not teach again, and their modes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from stlaunch.storage.state_folder import write_private
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PrefixMode


def read_learned(state: Path | None) -> tuple[BasePath, ...]:
    """Return the public paths that an earlier process learned."""
    if state is None:
        return ()
    try:
        texts = json.loads((state / "paths.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    found = [BasePath.parse_forwarded(text or "/") for text in texts if isinstance(text, str)]
    return tuple(path for path in found if path is not None)


def write_learned(state: Path | None, paths: tuple[BasePath, ...]) -> None:
    """Keep learned paths for the next process; quietly not, where nothing is writable."""
    if state is not None:
        with contextlib.suppress(OSError):
            write_private(state / "paths.json", json.dumps([path.value for path in paths]))


def read_modes(state: Path | None) -> dict[BasePath, PrefixMode]:
    """Return what an earlier process saw proxies do to each path."""
    if state is None:
        return {}
    try:
        texts = json.loads((state / "modes.json").read_text(encoding="utf-8"))
        pairs = [(BasePath.parse_forwarded(path), PrefixMode(mode)) for path, mode in texts.items()]
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return {path: mode for path, mode in pairs if path is not None}


def write_modes(state: Path | None, modes: Mapping[BasePath, PrefixMode]) -> None:
    """Keep what proxies do for the next process; quietly not, where nothing is writable."""
    if state is not None:
        with contextlib.suppress(OSError):
            text = json.dumps({path.value: str(mode) for path, mode in modes.items()})
            write_private(state / "modes.json", text)
