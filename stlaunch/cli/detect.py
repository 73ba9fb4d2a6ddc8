"""`stlaunch detect`: show the platform, the evidence, and the settings it implies.

It loads neither Streamlit nor a server. Of the environment only names are shown, and values that
are addresses, ports and paths.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from stlaunch.errors import ExitCode
from stlaunch.platforms import PlatformValue, detect_platforms
from stlaunch.platforms.advice import findings_about, platform_switches
from stlaunch.platforms.model import Fact
from stlaunch.settings.raw_values import RawSettings
from stlaunch.settings.resolve import resolve_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stlaunch.platforms import Hit
    from stlaunch.settings.model import Place

_FACTS = (
    "port", "host", "uds", "public_url", "base_path", "other_paths", "mount_paths", "prefix",
    "peers",
    "prefix_headers", "websocket", "idle_s", "body_bytes", "message_bytes", "identity_headers",
    "framed_by", "switches_off",
)  # fmt: skip


def describe(environ: Mapping[str, str], exists: Callable[[str], bool]) -> dict[str, Any]:
    """Return the document `stlaunch.detect/1`."""
    hits = detect_platforms(environ, exists)
    # What the platform alone decides: settings that somebody made do not count here.
    place = resolve_place(RawSettings(), hits=hits, environ=environ)
    placement = place.placement
    switched_off = platform_switches(placement, environ)
    findings = findings_about(placement, environ, switched_off=switched_off)
    return {
        "schema": "stlaunch.detect/1",
        "platforms": [_platform(hit, is_nearest=hit.platform is placement.nearest) for hit in hits],
        "settings": _settings(place),
        "warnings": [finding.as_dict() for finding in findings],
    }


def render(document: Mapping[str, Any]) -> str:
    """Return the document for people."""
    lines = []
    for platform in document["platforms"]:
        decides = " (decides)" if platform["decides"] else ""
        evidence = ", ".join(platform["evidence"])
        lines.append(f"{platform['title']}{decides}: {evidence}; {platform['certainty']}")
        if platform["hint"]:
            lines.append(f"  {platform['hint']}")
    if not lines:
        lines.append("No known platform detected.")
    lines.append("Settings:")
    for name, value in document["settings"].items():
        if name != "sources":
            source = document["settings"]["sources"].get(name, {}).get("where", "default")
            shown = ", ".join(value) if isinstance(value, list) else value
            shown = "not known" if shown in (None, "") else shown
            lines.append(f"  {name} = {shown} ({source})")
    lines += [
        f"Warning: {warning['code']} {warning['title']}. {warning['fix']}"
        for warning in document["warnings"]
    ]
    return "\n".join(lines)


def _platform(hit: Hit, *, is_nearest: bool) -> dict[str, Any]:
    facts = {name: getattr(hit.platform, name) for name in _FACTS}
    return {
        "name": hit.platform.name,
        "title": hit.platform.title,
        "layer": hit.platform.layer.value,
        "evidence": list(hit.evidence),
        "certainty": str(hit.certainty),
        "source": hit.source,
        "decides": is_nearest,
        "hint": hit.platform.hint,
        "facts": {
            name: {"value": fact.value, "certainty": str(fact.certainty), "source": fact.source}
            for name, fact in facts.items()
            if isinstance(fact, Fact)
        },
    }


def _settings(place: Place) -> dict[str, Any]:
    placement = place.placement
    paths, uds, url = placement.base_paths, place.uds.value, place.public_url.value
    sourced: dict[str, PlatformValue[Any] | None] = {
        "base_path": paths,
        "other_paths": paths,
        "mount_paths": placement.mount_paths,
        "public_url": placement.public_url,
        "host": placement.host,
        "uds": placement.uds,
        "port": placement.port,
        "trusted_proxies": placement.peers,
        "prefix": placement.prefix,
        "websocket": placement.websocket,
        "idle_limit_s": placement.idle_s,
        "body_limit_bytes": placement.body_bytes,
        "message_limit_bytes": placement.message_bytes,
        "embedded_in": placement.framed_by,
    }
    values = {
        "base_path": paths.value[0].value or "/" if paths else None,
        "other_paths": [path.value for path in paths.value[1:]] if paths else [],
        "mount_paths": [path.value for path in place.mount_path.value],
        "public_url": str(url) if url else None,
        "host": place.host.value,
        "uds": str(uds) if uds else None,
        "port": place.port.value,
        "trusted_proxies": str(place.trusted_proxies.value),
        "prefix": _value(placement.prefix),
        "websocket": _value(placement.websocket),
        "idle_limit_s": _value(placement.idle_s),
        "body_limit_bytes": _value(placement.body_bytes),
        "message_limit_bytes": _value(placement.message_bytes),
        "embedded_in": str(placement.framed_by.value) if placement.framed_by else None,
        "behind_proxy": placement.is_behind_proxy,
    }
    sources = {
        name: {"where": found.where, "certainty": str(found.certainty), "source": found.source}
        for name, found in sourced.items()
        if found is not None
    }
    return {**values, "sources": sources}


def _value(found: PlatformValue[Any] | None) -> Any:
    return found.value if found else None


@click.command(
    "detect",
    short_help="Detect the platform and the settings it implies.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: stlaunch detect --json",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, schema stlaunch.detect/1.")
def detect(as_json: bool) -> int:
    """Show the platform, the evidence for it, and the settings it implies.

    Evidence is shown as names of variables only; secrets are never shown.
    """
    document = describe(os.environ, os.path.exists)
    click.echo(json.dumps(document, indent=2) if as_json else render(document))
    return ExitCode.OK
