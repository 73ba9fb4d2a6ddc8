"""Check that a folder belongs to this user alone; others' folders are not read as ours.

Standard library only, and little of it: `stlaunch health` imports it.
"""

from __future__ import annotations

import os
import stat


def is_private(folder: str | os.PathLike[str]) -> bool:
    """Return whether `folder` is no link, belongs to this user, and only he may write into it.

    In a temporary folder, which all users share, somebody else may have made it first.
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

    Windows keeps no owner and mode to ask for. Its access list closes a home to other users.
    """
    home = os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111 - pathlib is slow to import
    try:
        return os.path.commonpath([home, os.path.realpath(folder)]) == home
    except ValueError:  # another drive
        return False
