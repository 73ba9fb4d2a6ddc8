"""The folder for what outlives a restart, and the generated files in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from stlaunch.errors import StartError
from stlaunch.storage import running_apps
from stlaunch.storage.atomic_write import write_atomic
from stlaunch.storage.private_folders import is_private

_HEADER = (
    "# Written by stlaunch at each start; changes here are lost. Your own files are not touched.\n"
)


def state_folder(script: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the app's own folder: below XDG_STATE_HOME or HOME, else a temporary one, else None.

    It is not created here; of a temporary one the folder above is, because whoever is the first
    to make it owns what a start reads from it.
    """
    name = f"{script.stem}-{hashlib.sha256(str(script).encode()).hexdigest()[:12]}"
    candidates = []
    if environ.get("XDG_STATE_HOME"):
        candidates.append(Path(environ["XDG_STATE_HOME"]) / "stlaunch")
    with contextlib.suppress(RuntimeError):
        candidates.append(Path.home() / ".local" / "state" / "stlaunch")
    for candidate in candidates:
        if _is_writable(candidate):
            return candidate / name
    temporary = _temporary_folder()
    own = temporary / f"stlaunch-{os.getuid()}" if temporary else None
    if own is None or not _is_writable(own):
        return None
    with contextlib.suppress(OSError):
        own.mkdir(mode=0o700)
    return own / name if is_private(own) else None


def ensure_home(environ: Mapping[str, str]) -> None:
    """Give the process a HOME where it has none, without which Streamlit does not start."""
    if environ.get("HOME"):
        return
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_temporary_folder() or "/")


def write_config(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write Streamlit options as a config.toml, atomically, and return what reads back.

    Raises:
        StartError: where the file cannot be written.
    """
    tables: dict[str, Any] = {}
    for key, value in options.items():
        *sections, name = key.split(".")
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    text = _HEADER + tomli_w.dumps(tables)
    try:
        write_private(path, text)
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise StartError(
            f"{path} cannot be written: {exc.strerror or exc}.",
            hint="Choose another place with --config-out.",
        ) from exc
    return _flatten(written)


def write_running(state: Path | None, url: str, public_url: str = "") -> Path | None:
    """Say where this process listens, for `stlaunch health` and `stlaunch check`.

    None where nothing is writable.

    Files of processes that were killed are removed.
    """
    if state is None:
        return None
    folder = state.parent / running_apps.FOLDER
    path = folder / str(os.getpid())
    try:
        write_private(path, running_apps.describe(os.getpid(), url, public_url))
        for other in folder.iterdir():
            if other != path and not running_apps.is_alive(running_apps.read(str(other))):
                other.unlink(missing_ok=True)
    except OSError:
        return None
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, atomically; missing folders are made private."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(path, text)


def _flatten(tables: Mapping[str, Any], front: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{front}{name}."))
        else:
            flat[front + name] = value
    return flat


def _temporary_folder() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # none is writable: a read-only root without a tmpfs
        return None


def _is_writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
