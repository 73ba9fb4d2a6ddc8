"""Render a launch plan as text: the startup banner, and the dry run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stlaunch.launcher.effective import own_settings
from stlaunch.launcher.plan import LaunchPlan
from stlaunch.log import json_line
from stlaunch.settings.model import LogFormat, SelfCheck
from stlaunch.urls.public_paths import PrefixRule

_REPEATED = ("app", "base path")


def render_banner(
    plan: LaunchPlan,
    listening: str,
    *,
    shows_token: bool = False,
    more: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the start-up banner: one fact per line, or one line of a JSON log.

    Args:
        plan: the plan in force.
        listening: `http://127.0.0.1:8501` or `unix:/run/app.sock`.
        shows_token: whether the self-check's token was just generated, so that nobody has it yet.
        more: facts from a supervisor that runs several instances.
    """
    settings, versions = plan.settings, plan.facts.versions
    here = [("listening on", listening)]
    checks = []
    if settings.self_check.value is not SelfCheck.OFF:
        # On this machine the stripped form works, unless the option says otherwise.
        is_kept = settings.prefix.value is PrefixRule.KEPT and settings.public_paths
        base = settings.public_paths[0].value if is_kept else ""
        front = _local(listening) if settings.uds.value is None else ""
        checks = [("self-check", f"{front}{base}/_stlaunch/ {_who(plan, shows_token)}")]
    if settings.log_format.value is LogFormat.JSON:
        rows = [*here, *more, *_facts(plan), *checks]
        facts = {name.replace(" ", "_").replace(".", "_"): value for name, value in rows}
        return json_line(f"stlaunch {versions['stlaunch']} listens on {listening}", **facts)
    # For several instances, leave out the lines that only repeat `open` and the command line.
    rows = [fact for fact in _facts(plan, to_act_on=True) if not more or fact[0] not in _REPEATED]
    rows += [*more, *checks, *here]
    rows.append(("open", _to_open(plan, listening)))
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    title = f"stlaunch {versions['stlaunch']}, Streamlit {versions['streamlit']}"
    if settings.placement.hits:
        title += f", {_platforms(plan)}"
    return "\n".join([title, *lines])


def _local(listening: str) -> str:
    return listening.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//127.0.0.1:")


def _to_open(plan: LaunchPlan, listening: str) -> str:
    """Return the address to open in the browser, or the part of it that is known."""
    settings = plan.settings
    if settings.public_url.value:
        return f"{str(settings.public_url.value).rstrip('/')}/"
    path = settings.public_paths[0].with_slash if settings.public_paths else "/"
    if settings.is_behind_proxy or settings.uds.value is not None:
        known = path if settings.public_paths else "the app's path"
        return f"{known} at your proxy's address"
    return f"{_local(listening)}{path}"


def render_plan(plan: LaunchPlan, as_json: bool) -> str:
    """Return the whole plan; with `as_json` as a document of schema `stlaunch.plan/1`."""
    if as_json:
        return json.dumps(_as_document(plan), indent=2)
    settings = plan.settings
    address = f"http://{settings.host.value}:{settings.port.value}"
    where = f"unix:{settings.uds.value}" if settings.uds.value else address
    rows = [("would listen on", where), *_facts(plan)]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    options = [f"    {key} = {json.dumps(value)}" for key, value in plan.options.items()]
    warnings = [f"Warning: {warning}" for warning in plan.warnings]
    return "\n".join(
        ["Launch plan (nothing was started)", *lines, "  options:", *options, *warnings]
    )


def _who(plan: LaunchPlan, shows_token: bool) -> str:
    match plan.settings.self_check.value:
        case SelfCheck.TOKEN if shows_token:
            return f"with the token {plan.settings.self_check_token} (shown once)"
        case SelfCheck.TOKEN:
            return "with the token in STLAUNCH_SELF_CHECK_TOKEN (********)"
        case SelfCheck.LOCAL:
            return "from this machine, or through a proxy on it that adds no header"
        case _:
            return "for everybody"


def _facts(plan: LaunchPlan, *, to_act_on: bool = False) -> list[tuple[str, str]]:
    """Return the plan's facts; with `to_act_on` only those that may need a change."""
    settings, versions = plan.settings, plan.facts.versions
    known = ", ".join(path.with_slash for path in settings.public_paths)
    base = known or ("not known yet" if settings.is_behind_proxy else "/")
    is_off = [warning.split(" ")[1] for warning in plan.warnings if " is false (" in warning]
    protections = f"off: {', '.join(is_off)}" if is_off else "CORS and XSRF on"
    if plan.accepts_origin_proof:
        protections += (
            ", origin proof; another port of the same host name could pass (see --public-url)"
        )
    if to_act_on:
        is_below = bool(known) or settings.is_behind_proxy
        return [
            ("app", plan.facts.import_string or str(plan.facts.script)),
            *([("base path", f"{base} ({plan.base_source})")] if is_below else []),
            ("trusted proxies", str(settings.trusted_proxies.value)),
            *(
                [("protections", _gaps(plan, is_off))]
                if is_off or plan.accepts_origin_proof
                else []
            ),
        ]
    return [
        ("app", plan.facts.import_string or str(plan.facts.script)),
        ("platform", _platforms(plan)),
        ("runs on", f"Streamlit {versions['streamlit']}, uvicorn {versions['uvicorn']}"),
        ("base path", f"{base} ({plan.base_source}), stripped or kept"),
        ("public URL", _address(plan)),
        ("protections", protections),
        ("trusted proxies", str(settings.trusted_proxies.value)),
        ("config.toml", str(plan.config_file or "in memory (no private folder is writable)")),
    ]


def _gaps(plan: LaunchPlan, is_off: list[str]) -> str:
    """Return the missing protections, for the banner."""
    off = f"off: {', '.join(is_off)}" if is_off else "on"
    gap = "not against another port of this host: --public-url"
    return f"{off}, but {gap}" if plan.accepts_origin_proof else off


def _address(plan: LaunchPlan) -> str:
    url = plan.settings.public_url
    return f"{url.value} ({url.where})" if url.value else "not given"


def _platforms(plan: LaunchPlan) -> str:
    return ", ".join(hit.platform.title for hit in plan.settings.placement.hits) or "none detected"


def _as_document(plan: LaunchPlan) -> dict[str, Any]:
    settings, facts = plan.settings, plan.facts
    uds, url = settings.uds.value, settings.public_url.value
    return {
        "schema": "stlaunch.plan/1",
        "version": 1,
        "app": {"script": str(facts.script), "import": facts.import_string},
        "listen": {
            "host": settings.host.value,
            "port": settings.port.value,
            "uds": str(uds) if uds else None,
        },
        "base_paths": [path.with_slash for path in settings.public_paths],
        "base_path_source": plan.base_source,
        "public_url": str(url) if url else None,
        "trusted_proxies": str(settings.trusted_proxies.value),
        "origin_check": settings.origin_check.value,
        "config_file": str(plan.config_file) if plan.config_file else None,
        "streamlit_options": dict(plan.options),
        "settings": {
            name: {
                "value": setting.value,
                "source": setting.where,
                "kind": setting.source.value,
                "shadowed": [list(item) for item in setting.shadowed],
            }
            for name, setting in own_settings(plan).items()
        },
        "platforms": [
            {
                "name": hit.platform.name,
                "title": hit.platform.title,
                "evidence": list(hit.evidence),
                "decides": hit.platform is settings.placement.nearest,
            }
            for hit in settings.placement.hits
        ],
        "mount_paths": [path.with_slash for path in settings.mount_path.value],
        "is_path_found_out": settings.is_behind_proxy and not settings.public_paths,
        "embedded": bool(settings.embed_in.value),
        "findings": [finding.as_dict() for finding in plan.findings],
        "warnings": list(plan.warnings),
        "versions": dict(facts.versions),
    }
