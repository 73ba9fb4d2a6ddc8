"""Choose where stlaunch keeps its state: the only place that knows the folders' names.

Standard library only, and little of it: `stlaunch health` imports it. Not platformdirs, which reads
the process's environment, and takes longer to import than that command takes to run. It creates
nothing.
"""

from __future__ import annotations

import os
import sys

from stlaunch.storage.private_folders import is_private

HOME = "USERPROFILE" if sys.platform == "win32" else "HOME"
"""The variable that names the user's home."""
_BELOW_HOME = ".local/state/stlaunch"


def home_folder(environ: object) -> str:
    """Return the user's home from HOME, else from the passwd entry; empty if there is none.

    Args:
        environ: the environment, a mapping of strings.
    """
    home = _get(environ, HOME)
    if home or sys.platform == "win32":
        return home
    try:
        import pwd  # noqa: PLC0415 - HOME is nearly always set
    except ImportError:
        return ""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def own_roots(environ: object, system: str = sys.platform) -> list[str]:
    """Return the folders that nobody else can write next to, the preferred one first."""
    state, home = _get(environ, "XDG_STATE_HOME"), home_folder(environ)
    found = [f"{state}/stlaunch"] if state else []
    if system == "win32":
        local = _get(environ, "LOCALAPPDATA") or (f"{home}/AppData/Local" if home else "")
        return [*found, *([f"{local}/stlaunch"] if local else [])]
    below = "Library/Application Support/stlaunch" if system == "darwin" else _BELOW_HOME
    return [*found, *([f"{home}/{below}"] if home else [])]


def cache_roots(environ: object, system: str = sys.platform) -> list[str]:
    """Return the folders for files that can be recreated, the preferred one first."""
    cache, home = _get(environ, "XDG_CACHE_HOME"), _get(environ, HOME)
    if cache:
        return [f"{cache}/stlaunch"]
    if system == "win32":
        return [f"{root}/Cache" for root in own_roots(environ, system)]
    below = "Library/Caches/stlaunch" if system == "darwin" else ".cache/stlaunch"
    return [f"{home}/{below}"] if home else []


def temporary_root(environ: object) -> str:
    """Return our folder in the first writable temporary folder, in the order of `tempfile`.

    The first to create it owns it: see `is_private`. Empty if no folder is writable.
    """
    for folder in _temporary_folders(environ):
        if os.access(folder, os.W_OK | os.X_OK):
            return own_part_of(folder)
    return ""


def own_part_of(folder: str) -> str:
    """Return our folder in a temporary one."""
    # Windows, whose users have no numeric ids, gives each of them a temporary folder.
    return f"{folder}/stlaunch-{os.getuid()}" if hasattr(os, "getuid") else f"{folder}/stlaunch"


def readable_roots(environ: object) -> list[str]:
    """Return every folder in which an app of this user may have left its state.

    In a temporary folder, which others can write into, only our own count.
    """
    roots = own_roots(environ)
    for folder in _temporary_folders(environ):
        # A process may have had a temporary folder for its HOME.
        shared = (own_part_of(folder), f"{folder}/{_BELOW_HOME}")
        roots += [root for root in shared if is_private(root)]
    return list(dict.fromkeys(roots))


def _temporary_folders(environ: object) -> list[str]:
    named = [text for name in ("TMPDIR", "TEMP", "TMP") if (text := _get(environ, name))]
    folders = [*named, "/tmp", "/var/tmp", "/usr/tmp"]  # noqa: S108
    try:
        return [*folders, os.getcwd()]  # noqa: PTH109
    except OSError:  # it has been removed
        return folders


def _get(environ: object, name: str) -> str:
    text: str = environ.get(name, "")  # type: ignore[attr-defined] # typing would cost a third of the start-up
    return text
