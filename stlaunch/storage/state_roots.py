"""Where stlaunch keeps its state: the only place that knows the folders' names.

Standard library only, and little of it: `stlaunch health` imports it. It makes nothing.
"""

from __future__ import annotations

import os

from stlaunch.storage.private_folders import is_private

_BELOW_HOME = ".local/state/stlaunch"


def home_folder(environ: object) -> str:
    """Return the user's home by HOME, else by the passwd entry; empty where there is none.

    Args:
        environ: the environment, a mapping of texts.
    """
    home = _get(environ, "HOME")
    if home:
        return home
    import pwd  # noqa: PLC0415 - HOME is nearly always set

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def own_roots(environ: object) -> list[str]:
    """Return the folders that nobody else can write next to, the preferred one first."""
    state, home = _get(environ, "XDG_STATE_HOME"), home_folder(environ)
    return [*([f"{state}/stlaunch"] if state else []), *([f"{home}/{_BELOW_HOME}"] if home else [])]


def temporary_root(environ: object) -> str:
    """Return our folder in the first writable temporary folder, in the order of `tempfile`.

    Whoever makes it first owns it: see `is_private`. Empty where no folder is writable.
    """
    for folder in _temporary_folders(environ):
        if os.access(folder, os.W_OK | os.X_OK):
            return _shared(folder)
    return ""


def readable_roots(environ: object) -> list[str]:
    """Return every folder in which an app of this user may have left its state.

    Of those in a temporary folder, which others can write into, only our own.
    """
    roots = own_roots(environ)
    for folder in _temporary_folders(environ):
        # A process may have had a temporary folder for its HOME.
        shared = (_shared(folder), f"{folder}/{_BELOW_HOME}")
        roots += [root for root in shared if is_private(root)]
    return list(dict.fromkeys(roots))


def _temporary_folders(environ: object) -> list[str]:
    named = [text for name in ("TMPDIR", "TEMP", "TMP") if (text := _get(environ, name))]
    return [*named, "/tmp", "/var/tmp", "/usr/tmp", os.getcwd()]  # noqa: S108, PTH109


def _shared(folder: str) -> str:
    return f"{folder}/stlaunch-{os.getuid()}"


def _get(environ: object, name: str) -> str:
    text: str = environ.get(name, "")  # type: ignore[attr-defined] # typing would cost a third of the start-up
    return text
