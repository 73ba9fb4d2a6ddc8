"""Show edits as a unified diff, or apply them, with a backup that no include reaches."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from stlaunch.errors import StartError, UsageError
from stlaunch.lint.findings import Edit
from stlaunch.lint.sources import Sources, ancestors
from stlaunch.quick_dataclass import dataclass
from stlaunch.storage.atomic_write import write_atomic
from stlaunch.storage.private_folders import make_private
from stlaunch.storage.state_roots import own_roots, temporary_root

BACKUP_SUFFIX = ".stlaunch.bak"
# Folders that proxies load as a whole, and files that such folders are next to.
_LOADED = re.compile(r".*(-enabled|-available|\.d)|conf|sites|vhosts|snippets|includes?|servers")
_MAINS = ("nginx.conf", "apache2.conf", "httpd.conf", "haproxy.cfg", "Caddyfile")
_MAX_BACKUPS = 1000
Texts = Mapping[Path, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file that was changed, and where its old text is."""

    file: Path
    backup: Path
    before: str
    mode: int

    def undo(self) -> None:
        """Write the old text back, and remove the backup.

        Raises:
            StartError: if that is no longer possible.
        """
        try:
            _write(self.file, self.before, self.mode)
        except OSError as exc:
            raise StartError(
                f"{self.file} cannot be restored: {exc.strerror}.",
                hint=f"The original is in {self.backup}.",
            ) from exc
        with contextlib.suppress(OSError):
            self.backup.unlink()


def edited(edits: Iterable[Edit]) -> dict[Path, tuple[str, str]]:
    """Return each file's text before and after.

    Several edits of one place count as one: the same line is not added twice and, of different
    replacements of a line, the first one counts.
    """
    by_file: dict[Path, dict[tuple[int, int], Edit]] = {}
    for edit in edits:
        known = by_file.setdefault(edit.file, {})
        place = (edit.line, edit.removed)
        if place not in known:
            known[place] = edit
        elif edit.removed == 0:
            known[place] = _with_more(known[place], edit)
    return {file: _both(file, list(known.values())) for file, known in by_file.items()}


def unified_diff(texts: Texts) -> str:
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


def apply(texts: Texts, environ: Mapping[str, str]) -> list[Change]:
    """Write the new texts, after backing up each old one; all of them, or none.

    Raises:
        StartError: for a file that cannot be written, or that has changed since it was read.
    """
    changes: list[Change] = []
    try:
        for file, (before, after) in texts.items():
            changes.append(_changed(file, before, after, environ))
    except StartError:
        undo(changes)
        raise
    return changes


def undo(changes: Iterable[Change]) -> None:
    """Undo all changes.

    Raises:
        StartError: for the first one that cannot be undone, after undoing the others.
    """
    failed = []
    for change in changes:
        try:
            change.undo()
        except StartError as exc:
            failed.append(exc)
    if failed:
        raise failed[0]


def _changed(file: Path, before: str, after: str, environ: Mapping[str, str]) -> Change:
    real = file.resolve()
    backup = None
    try:
        if Sources().read(real) != before:
            raise StartError(f"{file} has changed since it was read.", hint="Run the lint again.")
        backup = _free_name(_backup_folder(real, environ), real)
        mode = real.stat().st_mode & 0o777
        write_atomic(backup, _bytes(before), mode=mode)
        _write(real, after, mode)
    except (OSError, UsageError) as exc:
        if backup is not None:
            with contextlib.suppress(OSError):
                backup.unlink(missing_ok=True)
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise StartError(f"{file} cannot be written: {why}.") from exc
    return Change(file=real, backup=backup, before=before, mode=mode)


def _backup_folder(file: Path, environ: Mapping[str, str]) -> Path:
    """Return a folder that no include reaches: the file's own, or our state folder.

    `include sites-enabled/*;` also loads a copy next to the file, and so the site twice.
    """
    is_loaded = _LOADED.fullmatch(file.parent.name) is not None or any(
        (folder / main).exists()
        for folder in ancestors(file)
        for main in _MAINS
        if folder / main != file
    )
    if not is_loaded:
        return file.parent
    shared = temporary_root(environ)
    for root in [*own_roots(environ), *([shared] if shared else [])]:
        folder = Path(root) / "lint-backups"
        # In a temporary folder somebody else may have made it first.
        if make_private(root, folder):
            return folder
    raise StartError(
        f"No private folder is writable for a backup of {file}; nothing was changed.",
        hint="Set XDG_STATE_HOME to a writable folder.",
    )


def _free_name(folder: Path, file: Path) -> Path:
    whole = "_".join(part.strip("/\\:") for part in file.parts).strip("_")
    name = file.name if folder == file.parent else whole[-150:]
    for number in range(_MAX_BACKUPS):
        backup = folder / f"{name}{BACKUP_SUFFIX}{number or ''}"
        if not backup.exists():
            return backup
    raise StartError(f"{file} has too many backups.", hint=f"Remove *{BACKUP_SUFFIX}*.")


def _with_more(edit: Edit, other: Edit) -> Edit:
    more = tuple(line for line in other.lines if line not in edit.lines)
    return replace(edit, lines=edit.lines + more)


def _both(file: Path, edits: list[Edit]) -> tuple[str, str]:
    before = Sources().read(file)
    lines = [f"{line}\n" for line in before.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    # From the end, so that the line numbers before it stay right.
    for edit in sorted(edits, key=lambda edit: (edit.line, edit.removed), reverse=True):
        pattern = lines[edit.margin_of - 1]
        margin = pattern[: len(pattern) - len(pattern.lstrip())]
        end = "\r\n" if pattern.endswith("\r\n") else "\n"
        if edit.line > 1 and edit.line - 1 >= len(lines) and not lines[-1].endswith("\n"):
            lines[-1] += end
        new = [f"{margin}{line}{end}" for line in edit.lines]
        lines[edit.line - 1 : edit.line - 1 + edit.removed] = new
    return before, "".join(lines)


def _write(file: Path, text: str, mode: int) -> None:
    owner = file.stat()
    write_atomic(file, _bytes(text), mode=mode)
    if hasattr(os, "chown"):  # Windows uses access lists, inherited from the folder
        with contextlib.suppress(OSError):
            os.chown(file, owner.st_uid, owner.st_gid)


def _bytes(text: str) -> bytes:
    """Encode it; bytes that were not UTF-8 come back unchanged."""
    return text.encode("utf-8", errors="surrogateescape")
