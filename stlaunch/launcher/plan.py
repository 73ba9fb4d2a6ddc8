"""The plan of a launch: everything that will be done, decided before anything is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stlaunch import streamlit_adapter
from stlaunch.asgi import installed_versions, origin_policy
from stlaunch.exceptions import UsageError
from stlaunch.forwarded import TrustedProxies
from stlaunch.launcher.decide import Decisions, decide_options
from stlaunch.launcher.login import redirect_uri_warnings
from stlaunch.launcher.state import ensure_home, state_folder
from stlaunch.platforms.container import is_in_container
from stlaunch.settings.model import Settings
from stlaunch.settings.target import TargetKind, resolve_target
from stlaunch.streamlit_adapter import UserOption


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """One launch.

    Attributes:
        settings: what the user decided.
        script: the script; for `module:attr` a path that stands for it in sys.argv.
        import_string: where the target defines its own ASGI app.
        takes_base_path: whether the app takes its path from `server.baseUrlPath`.
        decisions: Streamlit's options and the address.
        user_options: what the user set for Streamlit.
        trusted: whose forwarding headers are believed.
        in_container: whether this is a container.
        state: the app's own folder for what outlives a restart; None where nothing is writable.
        config_file: where the generated config.toml goes; None for in memory.
        versions: of stlaunch and of what it stands on.
        warnings: what the user should know.
    """

    settings: Settings
    script: Path
    import_string: str | None
    takes_base_path: bool
    decisions: Decisions
    user_options: Mapping[str, UserOption]
    trusted: TrustedProxies
    in_container: bool
    state: Path | None
    config_file: Path | None
    versions: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def accepts_origin_proof(self) -> bool:
        """Whether a socket with a rewritten Host may be accepted by its token."""
        return origin_policy(self.settings, self.user_options).is_proof_accepted

    @property
    def streamlit_options(self) -> dict[str, Any]:
        """What the app runs with: the user's flags and variables below our decisions."""
        own = {
            key: option.value
            for key, option in self.user_options.items()
            if option.where.startswith(("--", "STREAMLIT_"))
        }
        return {**own, **self.decisions.options}


def plan_launch(settings: Settings, *, environ: Mapping[str, str]) -> LaunchPlan:
    """Decide a launch; reads files, writes none.

    Raises:
        UsageError: for a target or an option that cannot be used.
        StartError: where Streamlit itself cannot be imported here.
    """
    script, import_string = _find_target(settings)
    ensure_home(environ)
    user_options = streamlit_adapter.read_user_options(script, settings.streamlit_flags, environ)
    if import_string is None and script.suffix == ".py":
        import_string = streamlit_adapter.find_asgi_app(script)
    takes_base_path = import_string is None or streamlit_adapter.defines_streamlit_app(
        script, import_string
    )
    in_container = is_in_container(environ, os.path.exists)
    decisions = decide_options(
        settings, user_options, in_container=in_container, takes_base_path=takes_base_path
    )
    trusted = settings.trusted_proxies or TrustedProxies.default(in_container=in_container)
    state = state_folder(script, environ)
    config_file = settings.config_out or (state / "config.toml" if state else None)
    return LaunchPlan(
        settings=settings,
        script=script,
        import_string=import_string,
        takes_base_path=takes_base_path,
        decisions=decisions,
        user_options=user_options,
        trusted=trusted,
        in_container=in_container,
        state=state,
        config_file=config_file,
        versions=installed_versions(),
        warnings=(
            *decisions.warnings,
            *_trust_warnings(settings, user_options, in_container=in_container),
            *redirect_uri_warnings(
                streamlit_adapter.auth_redirect_uri(),
                public_url=settings.public_url,
                paths=decisions.public_paths,
            ),
        ),
    )


def _find_target(settings: Settings) -> tuple[Path, str | None]:
    target = resolve_target(settings.target, Path.cwd())
    if target.kind is TargetKind.SCRIPT and target.path is not None:
        return target.path, None
    if target.import_string is None:
        raise UsageError(f"There is no app in {settings.target!r}.")
    module = target.import_string.partition(":")[0]
    return Path.cwd() / f"{module.replace('.', '/')}.py", target.import_string


def _trust_warnings(
    settings: Settings, user: Mapping[str, UserOption], *, in_container: bool
) -> list[str]:
    headers = user.get("server.trustedUserHeaders")
    if not headers or not headers.value or settings.trusted_proxies or not in_container:
        return []
    warning = (
        "server.trustedUserHeaders is set, and every private address is trusted because this is "
        "a container: name your proxy with --trusted-proxies, or a neighbour can name any user."
    )
    return [warning]
