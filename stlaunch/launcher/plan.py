"""Plan a launch: decide everything before anything is done.

Pure: request and facts are passed in, nothing is read or changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stlaunch.diagnostics.finding import Finding
from stlaunch.gateway.origin_settings import origin_policy
from stlaunch.launcher.facts import Facts
from stlaunch.launcher.login import redirect_uri_warnings
from stlaunch.launcher.streamlit_options import app_limits, option_warnings, streamlit_options
from stlaunch.platforms.advice import findings_about, platform_switches
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.model import Settings, SourceKind
from stlaunch.settings.request import LaunchRequest
from stlaunch.settings.resolve import resolve_settings
from stlaunch.streamlit_adapter import UserOption


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """One launch.

    Attributes:
        request: what was asked for.
        facts: what it was decided from.
        settings: every setting, resolved.
        options: Streamlit's options that stlaunch decides; exactly the contents of the generated
            config.toml.
        user_options: what the user set for Streamlit, without the platform's own settings.
        config_file: where the generated config.toml goes; None to keep it in memory.
        findings: what the user should know about the environment.
        warnings: protections that are off, values that were overruled, findings.
    """

    request: LaunchRequest
    facts: Facts
    settings: Settings
    options: Mapping[str, Any]
    user_options: Mapping[str, UserOption]
    config_file: Path | None
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]

    @property
    def accepts_origin_proof(self) -> bool:
        """Whether a socket with a rewritten Host may be accepted by its token."""
        return origin_policy(self.settings, self.user_options).is_proof_accepted

    @property
    def base_source(self) -> str:
        """Where the public path comes from."""
        if self.settings.public_paths:
            return self.settings.behind_proxy.where
        return "detected from requests" if self.settings.is_behind_proxy else "none"

    @property
    def streamlit_options(self) -> dict[str, Any]:
        """The options that the app runs with: ours, then the user's flags and variables."""
        own = {
            key: option.value
            for key, option in self.user_options.items()
            if option.where.startswith(("--", "STREAMLIT_"))
        }
        return {**own, **self.options}

    def without_state(self) -> LaunchPlan:
        """Return the plan with everything in memory, except a file that was asked for."""
        facts = replace(self.facts, state=None)
        return replace(self, facts=facts, config_file=self.settings.config_out.value)

    def with_token(self, token: str) -> LaunchPlan:
        """Return the plan with a token for the self-check."""
        settings = replace(self.settings, self_check_token=token)
        return replace(self, request=self.request.with_token(token), settings=settings)


def plan_launch(
    request: LaunchRequest, facts: Facts, *, bound_port: int | None = None
) -> LaunchPlan:
    """Decide a launch.

    Args:
        request: what was asked for.
        facts: see `gather_facts`.
        bound_port: the port that the app already has, if any free one was asked for.

    Raises:
        UsageError: for a setting that cannot be used.
    """
    settings = resolve_settings(
        request.raw,
        user_options=facts.user_options,
        hits=facts.hits,
        environ=facts.environ,
        bound_port=bound_port,
    )
    switched_off = platform_switches(settings.placement, facts.environ)
    # A protection that the platform's own variables switch off was not switched off by the user.
    user = {
        key: option
        for key, option in facts.user_options.items()
        if option.where not in switched_off
    }
    findings = findings_about(
        settings.placement,
        facts.environ,
        limits=app_limits(user),
        is_embedded=settings.embed_in.is_chosen,
        switched_off=switched_off,
    )
    is_platforms_url = settings.public_url.source is SourceKind.PLATFORM
    in_state = facts.state / "config.toml" if facts.state else None
    return LaunchPlan(
        request=request,
        facts=facts,
        settings=settings,
        options=streamlit_options(settings, user, takes_base_path=facts.takes_base_path),
        user_options=user,
        config_file=settings.config_out.value or in_state,
        findings=findings,
        warnings=(
            *option_warnings(settings, user),
            *(f"{found.code} {found.title}. {found.fix}" for found in findings),
            *redirect_uri_warnings(
                facts.redirect_uri,
                # A platform names one of the app's hosts; logins may return to a custom domain.
                public_url=None if is_platforms_url else settings.public_url.value,
                paths=settings.public_paths,
            ),
        ),
    )


def plan_again(plan: LaunchPlan, *, port: int | None, takes_base_path: bool) -> LaunchPlan:
    """Decide again with facts that emerged later: the free port, the kind of the app."""
    facts = replace(plan.facts, takes_base_path=takes_base_path)
    again = plan_launch(plan.request, facts, bound_port=port)
    return replace(again, config_file=plan.config_file)
