"""The plan of a launch: everything that will be done, decided before anything is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stlaunch import streamlit_adapter
from stlaunch.errors import UsageError
from stlaunch.gateway.compose import installed_versions, origin_policy
from stlaunch.launcher.decide import (
    DEFAULT_PORT,
    Decisions,
    app_limits,
    asked_port,
    decide_options,
)
from stlaunch.launcher.login import redirect_uri_warnings
from stlaunch.platforms import Placement, detect_platforms, place
from stlaunch.platforms.advice import findings_about, platform_switches
from stlaunch.platforms.kubernetes import service_variables
from stlaunch.settings.model import Settings
from stlaunch.settings.target import TargetKind, resolve_target
from stlaunch.storage.state_folder import ensure_home, state_folder
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
        placement: what the platform tells.
        environ: the environment that the plan was made in.
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
    placement: Placement
    environ: Mapping[str, str] = field(repr=False)
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
    user_options = streamlit_adapter.read_user_options(
        script, settings.streamlit_flags, _without_services(environ)
    )
    if import_string is None and script.suffix == ".py":
        import_string = streamlit_adapter.find_asgi_app(script)
    takes_base_path = import_string is None or streamlit_adapter.defines_streamlit_app(
        script, import_string
    )
    port = asked_port(settings, user_options)
    placement = find_placement(environ, port)
    switched_off = platform_switches(placement, environ)
    # What the platform's own variables switch off, the user has not switched off.
    user_options = {
        key: option for key, option in user_options.items() if option.where not in switched_off
    }
    decisions = decide(
        settings,
        user_options,
        placement=placement,
        environ=environ,
        takes_base_path=takes_base_path,
    )
    state = state_folder(script, environ)
    config_file = settings.config_out or (state / "config.toml" if state else None)
    return LaunchPlan(
        settings=settings,
        script=script,
        import_string=import_string,
        takes_base_path=takes_base_path,
        decisions=decisions,
        user_options=user_options,
        placement=placement,
        environ=environ,
        state=state,
        config_file=config_file,
        versions=installed_versions(),
        warnings=(
            *decisions.warnings,
            *_trust_warnings(decisions, user_options),
            *(f"{found.code} {found.title}. {found.fix}" for found in decisions.findings),
            *redirect_uri_warnings(
                streamlit_adapter.auth_redirect_uri(),
                # A platform names one of the app's hosts; logins may come back to a custom domain.
                public_url=settings.public_url,
                paths=decisions.public_paths,
            ),
        ),
    )


def find_placement(environ: Mapping[str, str], port: int | None) -> Placement:
    """Return what the platform tells; `port` is the one that the user asked for."""
    hits = detect_platforms(environ, os.path.exists)
    return place(hits, environ, port=port, default_port=DEFAULT_PORT)


def decide(
    settings: Settings,
    user_options: Mapping[str, UserOption],
    *,
    placement: Placement,
    environ: Mapping[str, str],
    takes_base_path: bool,
) -> Decisions:
    """Decide the options, and what to say about the surroundings."""
    decisions = decide_options(
        settings, user_options, placement=placement, takes_base_path=takes_base_path
    )
    findings = findings_about(
        placement,
        environ,
        limits=app_limits(user_options),
        is_embedded=bool(settings.embed_in),
        switched_off=platform_switches(placement, environ),
    )
    return replace(decisions, findings=findings)


def plan_again(plan: LaunchPlan, *, port: int, takes_base_path: bool) -> LaunchPlan:
    """Decide again with what turned out later: the port that was free, the kind of the app."""
    placement = find_placement(plan.environ, port)
    decisions = decide(
        plan.settings,
        plan.user_options,
        placement=placement,
        environ=plan.environ,
        takes_base_path=takes_base_path,
    )
    options = {**decisions.options, "server.port": port}
    return replace(
        plan,
        placement=placement,
        takes_base_path=takes_base_path,
        decisions=replace(decisions, options=options, port=port),
    )


def _find_target(settings: Settings) -> tuple[Path, str | None]:
    target = resolve_target(settings.target, Path.cwd())
    if target.kind is TargetKind.SCRIPT and target.path is not None:
        return target.path, None
    if target.import_string is None:
        raise UsageError(f"There is no app in {settings.target!r}.")
    module = target.import_string.partition(":")[0]
    return Path.cwd() / f"{module.replace('.', '/')}.py", target.import_string


def _without_services(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave out what a Kubernetes Service named `streamlit-server` puts among the options."""
    ignored = service_variables(environ, "STREAMLIT_")
    return {name: value for name, value in environ.items() if name not in ignored}


def _trust_warnings(decisions: Decisions, user: Mapping[str, UserOption]) -> list[str]:
    headers = user.get("server.trustedUserHeaders")
    if not headers or not headers.value or not decisions.trusted.is_default_container:
        return []
    warning = (
        "server.trustedUserHeaders is set, and every private address is trusted because this is "
        "a container: name your proxy with --trusted-proxies, or a neighbour can name any user."
    )
    return [warning]
