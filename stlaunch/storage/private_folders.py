"""Make and recognise folders of this user alone; never read or write another's as ours.

Standard library only, and little of it: `stlaunch health` imports it.
"""

from __future__ import annotations

import contextlib
import os
import stat


def make_private(*folders: str | os.PathLike[str]) -> bool:
    """Make folders, each inside the one before; return whether all of them are ours alone.

    Nothing is made inside one that is not: a link that somebody left there may lead anywhere.
    """
    for folder in folders:
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib is slow to import
        if not is_private(folder):
            return False
    return True


def is_private(folder: str | os.PathLike[str]) -> bool:
    """Return whether `folder` is no link, and belongs to and is writable by this user alone.

    In a temporary folder, which all users share, somebody else may have created it first.
    """
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "geteuid"):
        return _is_in_profile(folder)
    is_closed = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) == 0
    return found.st_uid == os.geteuid() and is_closed


def _is_in_profile(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is inside the user's home, wherever links and junctions lead.

    Windows has no Unix owner and mode to check. Its access list closes a home to other users.
    """
    home = os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111 - pathlib is slow to import
    try:
        return os.path.commonpath([home, os.path.realpath(folder)]) == home
    except ValueError:  # another drive
        return False
