"""Public paths that outlive a restart: open tabs ask for no assets that would teach them again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from stlaunch.storage.state_folder import write_private
from stlaunch.urls.base_path import BasePath


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
