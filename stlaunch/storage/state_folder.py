"""Find the folder for files that outlive a restart, and write the generated files in it."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from stlaunch.errors import StartError, UsageError
from stlaunch.storage.atomic_write import write_atomic
from stlaunch.storage.private_folders import is_private, make_private
from stlaunch.storage.state_roots import HOME, home_folder, own_roots, temporary_root
from stlaunch.storage.temporary_folder import TemporaryFolder

_AUTHOR = "# Written by stlaunch"
_HEADER = f"{_AUTHOR} at each start; changes here are lost. Your own files are not touched.\n"
_LOGINS = "logins"


def state_folder(script: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the app's own folder: one of the user's, else a temporary one, else None.

    Nothing is created here; see `claim_state`.
    """
    root = _state_root(environ)
    name = f"{script.stem}-{hashlib.sha256(str(script).encode()).hexdigest()[:12]}"
    return root / name if root else None


def login_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder for the logins of all of this user's apps, which may not exist yet."""
    root = _state_root(environ)
    folder = root / _LOGINS if root else None
    return folder if folder and claim_state(folder, environ) else None


def _state_root(environ: Mapping[str, str]) -> Path | None:
    for root in own_roots(environ):
        if _is_writable(Path(root)):
            return Path(root)
    shared = temporary_root(environ)
    if not shared or (os.path.lexists(shared) and not is_private(shared)):
        return None
    return Path(shared) if _is_writable(Path(shared)) else None


def claim_state(state: Path, environ: Mapping[str, str]) -> bool:
    """Make our folder in the temporary one; return whether `state` may be used.

    A start must read only files from there that it wrote itself, and somebody else may have created
    the folder first.
    """
    root = state.parent
    shared = temporary_root(environ)
    if not shared or root != Path(shared):
        return True
    return make_private(root)


def ensure_home(environ: Mapping[str, str]) -> None:
    """Give the process a HOME if it has none, as Streamlit does not start without one.

    Never a folder that others can write into: Streamlit obeys the `.streamlit/config.toml` in it.
    """
    if not home_folder(environ):
        os.environ[HOME] = _private_home(environ) or "/"


def _private_home(environ: Mapping[str, str]) -> str:
    """Make a folder that is ours alone, the same one each time.

    If its name is taken, make one for this process, which a later start removes.
    """
    root = temporary_root(environ)
    if not root:  # nothing is writable: a read-only root without a tmpfs
        return ""
    home = f"{root}/home"
    if make_private(root, home):
        return home
    try:
        return str(TemporaryFolder("home").path)
    except OSError:
        return ""


def write_config(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write Streamlit options as a config.toml, atomically, and return them as read back.

    Raises:
        StartError: if the file cannot be written.
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


def check_is_ours(path: Path) -> None:
    """Refuse to replace a file that stlaunch has not written; an empty one is nobody's.

    Raises:
        UsageError: if it is the user's own.
    """
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            start = file.read(len(_AUTHOR))
    except OSError:  # writing it says what is wrong
        return
    if start not in {b"", _AUTHOR.encode()}:
        raise UsageError(
            f"--config-out: {path} exists, and stlaunch has not written it.",
            hint="Choose another name, or move that file away.",
        )


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


def _is_writable(folder: Path) -> bool:
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    return there is not None and os.access(there, os.W_OK | os.X_OK)
