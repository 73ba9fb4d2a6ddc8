"""Write a file whole or not at all: no reader ever sees half of it, even after a crash.

The only way that stlaunch writes files that are kept. It chooses neither names nor error messages:
`OSError` passes through.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

FOR_ALL = 0o644
"""The mode of files that others may read."""


def write_atomic(
    path: Path, content: str | bytes, *, mode: int = 0o600, may_replace: bool = True
) -> None:
    """Write `content`, as UTF-8 with its line endings unchanged, replacing any existing file.

    A link at `path` is replaced, and its target is left alone.

    Args:
        path: in a folder that exists.
        content: all of it.
        mode: who may read and write it; by default nobody else.
        may_replace: False to never replace another file, even one that is created meanwhile.

    Raises:
        FileExistsError: without `may_replace`, if something exists there.
        OSError: if it cannot be written; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).chmod(mode)
        if may_replace:
            Path(name).replace(path)
        else:
            _link(name, path, data, mode)
            Path(name).unlink()
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _link(name: str, path: Path, data: bytes, mode: int) -> None:
    """Give the file its name; unlike a rename, this refuses to replace another one."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network drives have no hard links
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
