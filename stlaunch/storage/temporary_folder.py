"""Make a folder for the lifetime of a process; if that is killed, the next one removes it.

Only folders of this user with a file in them whose lock nobody holds are ever removed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from stlaunch.storage.owner_lock import has_no_owner, write_locked
from stlaunch.storage.private_folders import is_private

_PREFIX = "stlaunch-"
_LOCK = ".owner"


class TemporaryFolder:
    """A private folder in the temporary one, created at once.

    Args:
        name: part of the folder's name.

    Attributes:
        path: the folder.
    """

    def __init__(self, name: str) -> None:
        _remove_ownerless()
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-"))
        self._lock = write_locked(self.path / _LOCK, "")

    def remove(self) -> None:
        """Remove it with everything in it; harmless when repeated."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _remove_ownerless() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if is_private(folder) and has_no_owner(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)
