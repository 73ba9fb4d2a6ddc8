"""Parse what the user asked to run, before anything heavy is imported."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.urls.origin import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_SCRIPT = "streamlit_app.py"
_MAX_NAMES = 5


class TargetKind(Enum):
    """What an app can be."""

    SCRIPT = "script"
    """A Python file; it may define an ASGI app."""
    ASGI_IMPORT = "asgi import"
    """`module:attr`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An app that exists, or a name to import it by."""

    kind: TargetKind
    path: Path | None
    """The script, absolute (with symbolic links kept), for SCRIPT."""
    import_string: str | None
    """`module:attr`, for ASGI_IMPORT."""


def resolve_target(
    text: str,
    cwd: Path,
    *,
    commands: Iterable[str] = (),
    can_read: Callable[[Path], bool] = lambda path: os.access(path, os.R_OK),
) -> Target:
    """Return the app that `text` names: a script, a folder with streamlit_app.py, `module:attr`.

    Args:
        text: as the user typed it.
        cwd: the folder that relative names start from.
        commands: other words that a mistyped name may have meant.
        can_read: whether a file may be read.

    Raises:
        UsageError: for anything else.
    """
    if not text.strip():
        raise UsageError("The name of the app is empty.", hint="Run: stlaunch app.py")
    if is_url(text):
        raise UsageError(
            f"The app {text!r} is a URL, but stlaunch only runs apps from files.",
            hint=f"Download the script first. For an app that runs: stlaunch check {quote(text)}",
        )
    path = Path(os.path.normpath(cwd / text))
    if not _exists(path):
        if is_import_string(text):
            return Target(kind=TargetKind.ASGI_IMPORT, path=None, import_string=text)
        raise _missing(text, path, commands)
    if path.is_dir():
        path = _script_in(path, text)
    elif path.suffix != ".py":
        raise UsageError(
            f"The file {text!r} is not a Python script (.py).",
            hint=_suggested(text, path, ()) or "Name the app's Python file.",
        )
    if not path.is_file():
        raise UsageError(f"The script {text!r} is not a regular file.", hint="Name a .py file.")
    if not can_read(path):
        raise UsageError(
            f"The script {text!r} cannot be read: permission denied.",
            hint="Give the user that runs stlaunch permission to read it.",
        )
    return Target(kind=TargetKind.SCRIPT, path=path, import_string=None)


def is_import_string(text: str) -> bool:
    """Distinguish `package.module:app` from a file name.

    >>> is_import_string("main:app"), is_import_string("main.py:app"), is_import_string("a/b:c")
    (True, False, False)
    """
    module, colon, attribute = text.partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    return bool(colon) and not module.endswith(".py") and all(map(str.isidentifier, parts))


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as exc:
        raise UsageError(
            f"The app {str(path)!r} cannot be opened: {exc.strerror}.",
            hint="Check the name, and the permissions of the folders above it.",
        ) from exc
    return True


def _missing(text: str, path: Path, commands: Iterable[str]) -> UsageError:
    module, colon, attribute = text.partition(":")
    if colon and module.endswith(".py"):
        dotted = module.removesuffix(".py").replace("/", ".")
        return UsageError(
            f"The app {text!r} mixes a file name with an attribute.",
            hint=f"Write {dotted}:{attribute} to import it, or {module} to run the script.",
        )
    hint = _suggested(text, path, commands)
    if not path.parent.is_dir():
        hint = f"There is no folder {str(path.parent)!r}."
    kind = "script" if path.suffix == ".py" else "app"
    return UsageError(
        f"The {kind} {text!r} does not exist.",
        hint=hint or f"Looked in {str(path.parent)!r}.",
    )


def _script_in(folder: Path, text: str) -> Path:
    script = folder / DEFAULT_SCRIPT
    if _exists(script):
        return script
    scripts = _python_files(folder)
    names = ", ".join(scripts[:_MAX_NAMES]) + (", ..." if len(scripts) > _MAX_NAMES else "")
    raise UsageError(
        f"The folder {text!r} has no {DEFAULT_SCRIPT}.",
        hint=f"Name the script; the folder contains {names}."
        if scripts
        else "It contains no Python file.",
    )


def _suggested(text: str, path: Path, commands: Iterable[str]) -> str:
    """Suggest a script of the same folder, spelled the way the user began."""
    begun = text[: len(text) - len(path.name)] if text.endswith(path.name) else ""
    scripts = _python_files(path.parent)
    if f"{path.stem}.py" in scripts:
        return f"Did you mean {begun + path.stem + '.py'!r}?"
    known = [begun + name for name in scripts]
    return did_you_mean(text, [*known, *commands])


def _python_files(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".py")
    except OSError:
        return []
