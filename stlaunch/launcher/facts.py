"""Read what a plan depends on: the environment, the machine and Streamlit's configuration.

The one impure step before `plan_launch`. It writes no file and leaves Streamlit's configuration as
it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from stlaunch import streamlit_adapter
from stlaunch.gateway.instance import installed_versions
from stlaunch.platforms import Hit, detect_platforms
from stlaunch.platforms.kubernetes import service_variables
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.request import LaunchRequest
from stlaunch.storage.state_folder import ensure_home, state_folder
from stlaunch.streamlit_adapter import UserOption


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts from the machine, the environment and Streamlit's own configuration.

    Attributes:
        environ: the environment.
        hits: the recognised platforms, the innermost first.
        script: the script; for `module:attr` the path that sys.argv gets.
        import_string: `module:attr` if the target defines its own ASGI app, else None.
        takes_base_path: whether the app takes its path from `server.baseUrlPath`.
        user_options: what the user set for Streamlit.
        redirect_uri: `[auth].redirect_uri`; empty if `[auth]` has none, None without `[auth]`.
        state: the app's own folder for files that outlive a restart; None if nothing is writable.
        versions: of stlaunch and the packages it runs on.
    """

    environ: Mapping[str, str] = field(repr=False)
    hits: tuple[Hit, ...]
    script: Path
    import_string: str | None
    takes_base_path: bool
    user_options: Mapping[str, UserOption]
    redirect_uri: str | None
    state: Path | None
    versions: Mapping[str, str]


def gather_facts(request: LaunchRequest, environ: Mapping[str, str]) -> Facts:
    """Read everything that a plan for `request` depends on.

    A process without HOME is given one, as Streamlit cannot be imported without it.

    Raises:
        UsageError: for an option or a file of Streamlit's that cannot be used.
        StartError: if Streamlit itself cannot be imported here.
    """
    environ = dict(environ)
    script, import_string = _script_of(request)
    state = state_folder(script, environ)
    ensure_home(environ)
    configuration = streamlit_adapter.read_user_configuration(
        script, request.streamlit_flags, _without_services(environ)
    )
    if import_string is None and script.suffix == ".py":
        import_string = streamlit_adapter.find_asgi_app(script)
    return Facts(
        environ=environ,
        hits=detect_platforms(environ, os.path.exists),
        script=script,
        import_string=import_string,
        takes_base_path=import_string is None
        or streamlit_adapter.defines_streamlit_app(script, import_string),
        user_options=configuration.options,
        redirect_uri=configuration.redirect_uri,
        state=state,
        versions=installed_versions(),
    )


def _script_of(request: LaunchRequest) -> tuple[Path, str | None]:
    target = request.target
    if target.path is not None:
        return target.path, None
    module = (target.import_string or "").partition(":")[0]
    return request.cwd / f"{module.replace('.', '/')}.py", target.import_string


def _without_services(environ: Mapping[str, str]) -> dict[str, str]:
    """Drop variables that look like options but come from a Service named `streamlit-server`."""
    ignored = service_variables(environ, "STREAMLIT_")
    return {name: value for name, value in environ.items() if name not in ignored}
