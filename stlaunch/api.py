"""`stlaunch.launch`: what the command line does, from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.launcher import plan_launch, serve
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.project import read_project
from stlaunch.settings.resolve import resolve_settings
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.settings.target import resolve_target


def launch(
    target: str | os.PathLike[str],
    *script_args: str,
    behind_proxy: str | Sequence[str] | bool = (),
    streamlit_options: Mapping[str, str] | None = None,
    on_ready: Callable[[str], None] | None = None,
    **settings: str | int | os.PathLike[str] | Sequence[str],
) -> int:
    """Serve an app until it is stopped, as `stlaunch app.py` does; return the exit code.

        stlaunch.launch("app.py", behind_proxy="/streamlitApp", port=8502)

    Args:
        target: a script, a folder with `streamlit_app.py`, or `module:attr`.
        script_args: what the script finds in `sys.argv[1:]`.
        behind_proxy: the public path or URL, or several; True: find it out.
        streamlit_options: Streamlit's own, as text: `{"server.maxUploadSize": "500"}`.
        on_ready: called with the start-up banner when the app listens; None prints it on stderr.
        settings: every other setting of the command line by its name (`public_url`, `host`);
            True and False are `on` and `off`.

    Raises:
        UsageError: for a value that cannot be used, or a name that is no setting.
        StartError: where the machine or the app refuses.
    """
    _refuse_unknown(settings)
    values = {name: _texts(value) for name, value in settings.items()}
    if isinstance(behind_proxy, bool):
        values["behind_proxy"] = [""] if behind_proxy else []
    else:
        values["behind_proxy"] = (
            [behind_proxy] if isinstance(behind_proxy, str) else list(behind_proxy)
        )
    found = resolve_target(os.fspath(target), Path.cwd())
    project, where = read_project(found.path.parent if found.path else Path.cwd())
    resolved = resolve_settings(
        target=os.fspath(target),
        script_args=script_args,
        streamlit_flags=tuple((streamlit_options or {}).items()),
        values=values,
        environ=os.environ,
        project=project,
        project_where=where,
    )
    plan = plan_launch(resolved, environ=os.environ)
    return serve(plan, on_ready=on_ready or _print)


def _refuse_unknown(settings: Mapping[str, object]) -> None:
    known = [field.name for field in FIELDS]
    for name in settings:
        if name not in known:
            raise UsageError(
                f"launch() has no setting {name!r}.",
                hint=did_you_mean(name, known) or f"Known are {', '.join(known)}.",
            )


def _texts(value: str | int | os.PathLike[str] | Sequence[str]) -> list[str]:
    match value:
        case bool():
            return ["on" if value else "off"]
        case str() | int() | os.PathLike():
            return [str(value)]
        case _:
            return list(value)


def _print(banner: str) -> None:
    sys.stderr.write(banner + "\n")
