"""Edits as a unified diff, and applied to the files, each with a backup beside it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from stlaunch.errors import StartError
from stlaunch.lint.findings import Edit
from stlaunch.storage.atomic_write import write_atomic

BACKUP_SUFFIX = ".stlaunch.bak"


def edited(edits: Iterable[Edit]) -> dict[Path, tuple[str, str]]:
    """Return each file's text before and after; the same edit twice counts once."""
    by_file: dict[Path, dict[Edit, None]] = {}
    for edit in edits:
        by_file.setdefault(edit.file, {})[edit] = None
    return {file: _both(file, list(changes)) for file, changes in by_file.items()}


def unified_diff(texts: dict[Path, tuple[str, str]]) -> str:
    """Return what would change, to read or for `patch`."""
    pieces: list[str] = []
    for file, (before, after) in texts.items():
        pieces += difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            fromfile=str(file),
            tofile=str(file),
        )
    return "".join(piece if piece.endswith("\n") else f"{piece}\n" for piece in pieces)


def apply(texts: dict[Path, tuple[str, str]]) -> list[Path]:
    """Write the new texts, after a copy of each old one; return the copies.

    Raises:
        StartError: for a file that cannot be written, or that has changed meanwhile.
    """
    backups = []
    for file, (before, after) in texts.items():
        real = file.resolve()
        try:
            if _read(real) != before:
                raise StartError(f"{file} has changed meanwhile.", hint="Run the lint again.")
            backup = _free_name(real)
            mode = real.stat().st_mode & 0o777
            write_atomic(backup, before, mode=mode)
            write_atomic(real, after, mode=mode)
        except OSError as exc:
            raise StartError(f"{file} cannot be written: {exc.strerror}.") from exc
        backups.append(backup)
    return backups


def _both(file: Path, edits: list[Edit]) -> tuple[str, str]:
    before = _read(file)
    lines = before.splitlines(keepends=True)
    # From the end, so that the line numbers before it stay right.
    for edit in sorted(edits, key=lambda edit: (edit.line, edit.removed), reverse=True):
        pattern = lines[edit.margin_of - 1]
        margin = pattern[: len(pattern) - len(pattern.lstrip())]
        end = "\r\n" if pattern.endswith("\r\n") else "\n"
        new = [f"{margin}{line}{end}" for line in edit.lines]
        lines[edit.line - 1 : edit.line - 1 + edit.removed] = new
    return before, "".join(lines)


def _read(file: Path) -> str:
    """Read with the line ends as they are, so that they are written back so."""
    with file.open(encoding="utf-8", newline="") as stream:
        return stream.read()


def _free_name(file: Path) -> Path:
    for number in range(1000):
        backup = file.with_name(f"{file.name}{BACKUP_SUFFIX}{number or ''}")
        if not backup.exists():
            return backup
    raise StartError(f"{file} has too many backups.", hint=f"Remove *{BACKUP_SUFFIX}*.")
