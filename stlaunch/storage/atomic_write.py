"""Write a file whole or not at all: a reader, or a crash, never finds half of it.

The one way that stlaunch writes files which somebody keeps. It chooses neither names nor words for
what goes wrong: `OSError` goes through.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

FOR_ALL = 0o644
"""The mode of what others may read."""


def write_atomic(
    path: Path, content: str | bytes, *, mode: int = 0o600, may_replace: bool = True
) -> None:
    """Write `content`, as UTF-8 with its line ends as they are, in the place of what is there.

    A link at `path` is replaced, and what it leads to is left alone.

    Args:
        path: in a folder that exists.
        content: all of it.
        mode: who may read and write it; by default nobody else.
        may_replace: False: never over another file, also one that is made meanwhile.

    Raises:
        FileExistsError: without `may_replace`, where there is something.
        OSError: where it cannot be written; nothing is left behind.
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
    except OSError:  # FAT and some network drives have one name for a file
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
