"""Find and read the project file's settings."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from stlaunch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME = "stlaunch.toml"
TABLE_NAME = "[tool.stlaunch]"


def read_project(start: Path) -> tuple[Mapping[str, object], str]:
    """Return the nearest project table from `start` upwards, and how to name it to the user.

    In one folder `stlaunch.toml` goes before pyproject.toml. The search ends at a folder with
    `.git`, or at the root; nothing found is an empty table and an empty name.

    Raises:
        UsageError: for a file that cannot be read or is not TOML.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        own = folder / FILE_NAME
        if own.is_file():
            return _loaded(_text_of(own), own), str(own)
        shared = folder / "pyproject.toml"
        # One that does not mention us may be as broken as it likes.
        if shared.is_file() and "stlaunch" in (text := _text_of(shared)):
            where = f"{shared} {TABLE_NAME}"
            tool = _loaded(text, shared).get("tool")
            table = tool.get("stlaunch") if isinstance(tool, dict) else None
            if isinstance(table, dict):
                return table, where
            if table is not None:
                raise UsageError(f"{where} is not a table.", hint=f"Begin it with {TABLE_NAME}.")
        if (folder / ".git").exists():
            break
    return {}, ""


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(
            f"The project file {path} cannot be read: {exc.strerror}.",
            hint="Give the user that runs stlaunch permission to read it.",
        ) from exc
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n") + 1
        raise UsageError(
            f"The project file {path}, line {line}, is not UTF-8 text.",
            hint="Save it as UTF-8.",
        ) from exc


def _loaded(text: str, path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        # Until Python 3.14 tomllib gives the place only in its text.
        said = re.fullmatch(
            r"(?P<what>.*) \(at (?:line (?P<line>\d+).*|end of document)\)", str(exc)
        )
        line = (said and said["line"]) or str(text.count("\n") + 1)
        what = said["what"] if said else str(exc)
        raise UsageError(
            f"The project file {path}, line {line}, is not valid TOML: {what}.",
            hint='TOML strings need quotes: behind_proxy = "/streamlitApp"',
        ) from exc
