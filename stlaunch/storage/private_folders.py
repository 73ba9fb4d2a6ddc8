"""Check that a folder belongs to this user alone; others' folders are not read as ours.

Standard library only, and little of it: `stlaunch health` imports it.
"""

from __future__ import annotations

import os
import stat


def is_private(folder: str | os.PathLike[str]) -> bool:
    """Tell whether `folder` is no link, belongs to this user, and only he may write into it.

    In a temporary folder, which all users share, somebody else may have made it first.
    """
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    is_private = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) == 0
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and is_private
