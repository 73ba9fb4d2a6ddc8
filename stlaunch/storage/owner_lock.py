"""Lock a file for as long as its owner lives; the kernel releases it however the owner ends.

Other containers and machines that share the folder see the lock as well. Where the system has no
such locks (Windows), nobody is ever taken for gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path


def write_locked(path: Path, text: str) -> int | None:
    """Write a file that only this user can read, locked before it gets its name.

    Return the descriptor to close in the end, or None where there are no locks.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
    """
    descriptor, unnamed = tempfile.mkstemp(dir=path.parent)
    try:
        os.write(descriptor, text.encode())
        if sys.platform == "win32":
            os.close(descriptor)  # an open file cannot be renamed
            Path(unnamed).replace(path)
            return None
        import fcntl  # noqa: PLC0415 - not everywhere

        with contextlib.suppress(OSError):  # some network drives have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        Path(unnamed).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        Path(unnamed).unlink(missing_ok=True)
        raise
    return descriptor


def has_no_owner(path: Path) -> bool:
    """Return whether nobody holds the file's lock any more."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - not everywhere

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
    finally:
        os.close(descriptor)
