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

    Return the descriptor to close in the end, or None where there are no locks. It is open for
    reading alone: otherwise nobody could make the file system read-only.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
    """
    writing, name = tempfile.mkstemp(dir=path.parent)
    unnamed = Path(name)
    lock = None
    try:
        with os.fdopen(writing, "w", encoding="utf-8") as file:
            file.write(text)
        lock = _lock(unnamed)
        unnamed.replace(path)
    except BaseException:
        if lock is not None:
            os.close(lock)
        unnamed.unlink(missing_ok=True)
        raise
    return lock


def has_no_owner(path: Path) -> bool:
    """Return whether nobody holds the file's lock any more."""
    if sys.platform == "win32":
        return False
    try:
        import fcntl  # noqa: PLC0415 - not everywhere

        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (ImportError, OSError):
        return False
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        import fcntl  # noqa: PLC0415 - not everywhere
    except ImportError:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # some network drives have no locks
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor
