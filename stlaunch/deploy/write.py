"""Write generated files: each whole or not at all, and never over someone's work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stlaunch.errors import StartError, UsageError
from stlaunch.storage.atomic_write import FOR_ALL, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stlaunch.deploy.model import GeneratedFile


def write_files(files: Sequence[GeneratedFile], folder: Path, *, force: bool) -> tuple[Path, ...]:
    """Write the files below `folder`, which is created, and return their paths.

    A file that holds the very same text already is left alone. All of them are checked before
    the first one is written.

    Raises:
        UsageError: for a file that exists with other content, without `force`.
        StartError: where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / file.name for file in files]
        taken = [
            path
            for path, file in zip(paths, files, strict=True)
            if not force and (path.exists() or path.is_symlink()) and not _holds(path, file.text)
        ]
        if taken:
            exist = "exist" if taken[1:] else "exists"
            raise UsageError(
                f"{', '.join(map(str, taken))} already {exist} with different content; "
                "nothing was written.",
                hint="Overwrite it with --force, or choose another folder with -o.",
            )
        for path, file in zip(paths, files, strict=True):
            if not _holds(path, file.text):
                write_atomic(path, file.text, mode=FOR_ALL, may_replace=force)
    except FileExistsError as exc:  # the folder is a file, or another process was quicker
        raise UsageError(
            f"{exc.filename2 or exc.filename} already exists.",
            hint="Choose another folder with -o.",
        ) from exc
    except OSError as exc:
        raise StartError(
            f"{exc.filename or folder} cannot be written: {exc.strerror}.",
            hint="Choose another folder with -o.",
        ) from exc
    return tuple(paths)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
