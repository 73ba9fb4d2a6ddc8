"""Find a folder to keep compressed files in across restarts; only this user may write there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from stlaunch.storage.private_folders import make_private
from stlaunch.storage.state_roots import cache_roots, own_part_of


def asset_folder(environ: Mapping[str, str]) -> Path | None:
    """Return a folder that is ours alone, created if needed, or None if that is impossible.

    It is in the user's cache folder, else a temporary one. A folder that is a link, belongs to
    another user or is writable for others is not used: its files are served to browsers.
    """
    for candidate in _candidates(environ):
        folder = candidate / "assets"
        if make_private(candidate, folder) and os.access(folder, os.W_OK):
            return folder
    return None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    yield from map(Path, cache_roots(environ))
    with contextlib.suppress(FileNotFoundError):  # none is writable
        yield Path(own_part_of(tempfile.gettempdir()))
