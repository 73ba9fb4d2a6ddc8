"""Make a folder for the lifetime of a process; if that is killed, the next one removes it.

The owner holds a lock on a file in it, which the kernel releases however the owner ends. Only
folders of this user with such a file, and a lock that nobody holds, are ever removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

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
        self._lock: int | None = None
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - not everywhere

            # Locked before it gets its name: the owner of a free lock is gone.
            self._lock, unnamed = tempfile.mkstemp(dir=self.path)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            Path(unnamed).rename(self.path / _LOCK)

    def remove(self) -> None:
        """Remove it with everything in it; harmless when repeated."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _remove_ownerless() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if is_private(folder) and _is_ownerless(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ownerless(lock: Path) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - not everywhere

    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
    finally:
        os.close(descriptor)
