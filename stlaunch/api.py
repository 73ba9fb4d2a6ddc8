"""`stlaunch.launch`: what the command line does, from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stlaunch.launcher import plan_launch, serve
from stlaunch.settings.project import read_project
from stlaunch.settings.resolve import resolve_settings


def launch(
    target: str | os.PathLike[str],
    *script_args: str,
    behind_proxy: str | Sequence[str] | bool = (),
    streamlit_options: Mapping[str, str] | None = None,
    on_ready: Callable[[str], None] | None = None,
    **settings: str | Sequence[str],
) -> int:
    """Serve an app until it is stopped, as `stlaunch app.py` does; return the exit code.

        stlaunch.launch("app.py", behind_proxy="/streamlitApp", port="8502")

    Args:
        target: a script, a folder with `streamlit_app.py`, or `module:attr`.
        script_args: what the script finds in `sys.argv[1:]`.
        behind_proxy: the public path or URL, or several; True: find it out.
        streamlit_options: Streamlit's own, as text: `{"server.maxUploadSize": "500"}`.
        on_ready: called with the start-up banner when the app listens; None prints it on stderr.
        settings: every other setting of the command line by its name (`public_url`, `host`).

    Raises:
        UsageError: for a value that cannot be used.
        StartError: where the machine or the app refuses.
    """
    values = {
        name: [value] if isinstance(value, str) else list(value) for name, value in settings.items()
    }
    if isinstance(behind_proxy, bool):
        values["behind_proxy"] = [""] if behind_proxy else []
    else:
        values["behind_proxy"] = (
            [behind_proxy] if isinstance(behind_proxy, str) else list(behind_proxy)
        )
    project, where = read_project(Path(target).parent.absolute())
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


def _print(banner: str) -> None:
    sys.stderr.write(banner + "\n")
