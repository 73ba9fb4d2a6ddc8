"""Find the folder that keeps other users from an app: a service's user is not its owner.

It looks at permissions only; an access control list may still let a user in.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def closed_folder(paths: Iterable[Path]) -> Path | None:
    """Return the first folder on the way to these files that others cannot enter.

    Links are followed too: a virtual environment's Python may be a link into a home folder.
    """
    for path in paths:
        for way in (path, path.resolve()):
            for folder in reversed(way.parents):
                if not _is_open(folder):
                    return folder
    return None


def closed_hint(folder: str) -> str:
    """Return what to do about such a folder where a unit's user starts the app; empty for none."""
    if not folder:
        return ""
    return (
        f"The units run as a user of their own, which cannot enter {folder}: move the app and its "
        "environment to a folder such as /opt, or write User=OWNER instead of DynamicUser=yes."
    )


def _is_open(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IXOTH)
    except OSError:  # gone, or closed to this user as well, as a folder above it shows
        return True
