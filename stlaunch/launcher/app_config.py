"""Merge stlaunch's decisions into the app's own `.streamlit/config.toml`, for plain Streamlit.

Comments, order and everything that stlaunch did not decide stay as they are. Only
`stlaunch config --write` uses this; a launch never does.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stlaunch.errors import StartError, UsageError
from stlaunch.launcher.effective import MASK, is_secret
from stlaunch.launcher.plan import LaunchPlan
from stlaunch.platforms.model import Prefix
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.model import SourceKind
from stlaunch.storage.atomic_write import FOR_ALL, write_atomic
from stlaunch.streamlit_adapter import default_options

_RELATIVE = Path(".streamlit") / "config.toml"
_MAX_BACKUPS = 1000
_LONG_TEXT = r'"{3}[\s\S]*?"{3}' + r"|'{3}[\s\S]*?'{3}"
_ASSIGNMENT = re.compile(
    rf"""(?P<name>^[ \t]*(?P<key>[\w."'-]+)[ \t]*=[ \t]*)(?:{_LONG_TEXT}|[^\r\n]*)""", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedConfig:
    """A configuration file before and after."""

    path: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff, with secrets masked; empty if there is none."""
        lines = difflib.unified_diff(
            _ASSIGNMENT.sub(_masked, self.before).splitlines(keepends=True),
            _ASSIGNMENT.sub(_masked, self.after).splitlines(keepends=True),
            fromfile=str(self.path),
            tofile=f"{self.path} (merged)",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def merged_config(plan: LaunchPlan) -> MergedConfig:
    """Return the app's configuration with the plan's decisions in it; write nothing.

    Raises:
        UsageError: for a file that cannot be read or is not TOML.
    """
    # Through a link: the file behind it is the one to change.
    path = (plan.facts.script.parent / _RELATIVE).resolve()
    try:
        before = path.read_bytes().decode("utf-8") if path.exists() else ""
        document = tomlkit.parse(before)
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"{path} cannot be read: {reason}.", hint="Make it readable for this user."
        ) from exc
    except TOMLKitError as exc:
        raise UsageError(f"{path} is not valid TOML: {exc}.", hint="Fix that line.") from exc
    for key, value in plain_streamlit_options(plan).items():
        _set(document, key.split("."), value)
    after = tomlkit.dumps(document)
    if "\r\n" in before:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    return MergedConfig(path=path, before=before, after=after)


def _masked(assignment: re.Match[str]) -> str:
    return f"{assignment['name']}{MASK}" if is_secret(assignment["key"]) else assignment[0]


def plain_streamlit_options(plan: LaunchPlan) -> dict[str, Any]:
    """Return the options that plain `streamlit run` needs to work where the plan would.

    Behind a proxy that strips the path, bare Streamlit works only without a base path, while
    stlaunch accepts both.
    """
    options = dict(plan.options)
    behind, prefix = plan.settings.behind_proxy, plan.settings.placement.prefix
    is_stripped = prefix is not None and prefix.value is Prefix.STRIPPED
    if is_stripped and behind.source is SourceKind.PLATFORM:
        options["server.baseUrlPath"] = ""
    if plan.settings.embed_in.value and default_options(["server.xsrfCookieSameSite"]):
        options["server.xsrfCookieSameSite"] = "none"
    return options


def write_merged(merged: MergedConfig) -> Path | None:
    """Write the file, atomically; return the backup of what was there before.

    Raises:
        StartError: if it cannot be written.
    """
    path = merged.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = _backup(path)
        mode = path.stat().st_mode & 0o777 if path.exists() else FOR_ALL
        write_atomic(path, merged.after, mode=mode)
    except OSError as exc:
        raise StartError(
            f"{path} cannot be written: {exc.strerror or exc}.",
            hint="Give this user permission to write there.",
        ) from exc
    return backup


def _backup(path: Path) -> Path | None:
    if not path.exists():
        return None
    for number in range(1, _MAX_BACKUPS):
        backup = path.with_name(path.name + (".bak" if number == 1 else f".bak{number}"))
        if not os.path.lexists(backup):  # a copy would follow a link, wherever it leads
            shutil.copy2(path, backup)
            return backup
    raise OSError(f"there are already {_MAX_BACKUPS} backups")


def _set(table: MutableMapping[str, Any], keys: list[str], value: Any) -> None:
    first, *rest = keys
    if not rest:
        if first not in table or table[first] != value:
            table[first] = value
        return
    if not isinstance(table.get(first), Mapping):
        table[first] = tomlkit.table()
    _set(table[first], rest, value)
