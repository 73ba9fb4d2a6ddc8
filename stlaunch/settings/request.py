"""A request to run one app: which one, with what arguments and what settings, unresolved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.project import read_project
from stlaunch.settings.raw_values import RawSettings
from stlaunch.settings.read import read_settings
from stlaunch.settings.target import Target, resolve_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """Everything that was asked for, before anything is decided."""

    target: Target
    cwd: Path
    """The folder that relative names start from."""
    raw: RawSettings
    script_args: tuple[str, ...] = ()
    streamlit_flags: tuple[tuple[str, str], ...] = ()
    """Streamlit's own flags, raw and in order: `("server.headless", "true")`."""

    def with_token(self, token: str | None) -> LaunchRequest:
        """Return it with a token for the self-check."""
        return replace(self, raw=replace(self.raw, self_check_token=token))


def read_request(
    text: str,
    *,
    cwd: Path,
    values: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    script_args: Sequence[str] = (),
    streamlit_flags: Sequence[tuple[str, str]] = (),
    commands: Iterable[str] = (),
    self_check_token: str | None = None,
    is_call: bool = False,
) -> LaunchRequest:
    """Find the app and the project file near it, and collect what all places say.

    Args:
        text: the app as the user named it.
        cwd: the folder that relative names start from.
        values: what the command line gave, by field name.
        environ: the environment.
        script_args: what goes to the script.
        streamlit_flags: Streamlit's own flags, raw.
        commands: other words that a mistyped name may have meant.
        self_check_token: a caller's.
        is_call: whether `values` come from a Python call.

    Raises:
        UsageError: for an app that does not exist, a project file that cannot be read, and
            unknown names of settings.
    """
    target = resolve_target(text, cwd, commands=commands)
    project, where = read_project(target.path.parent if target.path else cwd)
    return LaunchRequest(
        target=target,
        cwd=cwd,
        raw=read_settings(
            values=values,
            environ=environ,
            project=project,
            project_where=where,
            self_check_token=self_check_token,
            is_call=is_call,
        ),
        script_args=tuple(script_args),
        streamlit_flags=tuple(streamlit_flags),
    )
