"""Warn about the platform: limits, frames, and misleading variables.

Pure; it recognises nothing itself (`stlaunch.platforms` does), and no value of a variable gets
into a sentence, because it may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stlaunch.diagnostics.finding import Finding
from stlaunch.forwarded import TrustedProxies
from stlaunch.platforms.kubernetes import is_service_address, service_variables
from stlaunch.platforms.model import Certainty
from stlaunch.platforms.placement import Placement, PlatformValue, contradictions
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_defaults

_MEGABYTE = 1_000_000
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLimits:
    """What the app itself allows; by default as in Streamlit."""

    ping_s: int = streamlit_defaults.PING_INTERVAL_S
    """How often an idle connection carries something."""
    upload_bytes: int = streamlit_defaults.MAX_UPLOAD_BYTES
    message_bytes: int = streamlit_defaults.MAX_MESSAGE_BYTES


def trusted_by_default(placement: Placement) -> TrustedProxies:
    """Return the peers whose headers are trusted if the user named none.

    This machine; on a platform also the peers that are known to be its proxy, or private ones.
    """
    peers = placement.peers.value if placement.peers else ()
    return TrustedProxies.default(in_container="private" in peers, others=peers)


def findings_about(
    placement: Placement,
    environ: Mapping[str, str],
    *,
    limits: AppLimits | None = None,
    is_embedded: bool = False,
    switched_off: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Return what a person should know before the first request.

    Args:
        placement: where the app is.
        environ: the environment.
        limits: the app's own.
        is_embedded: whether `--embed-in` was given.
        switched_off: variables of the platform that switch a protection off, as they are set.
    """
    limits = limits or AppLimits()
    found: list[Finding | None] = [
        _no_websocket(placement),
        _switched_off(placement, switched_off),
        _idle(placement.idle_s, limits),
        _body(placement.body_bytes, limits),
        _message(placement.message_bytes, limits),
        None if is_embedded else _framed(placement),
        _service_variables(environ),
        _from_memory(placement),
        _contradicting(placement, environ),
        *map(_unusable, placement.unusable),
    ]
    return tuple(finding for finding in found if finding is not None)


def lowered_ping_s(placement: Placement, ping_s: int) -> int | None:
    """Return a ping interval below the platform's idle limit, or None where it is below it."""
    idle = placement.idle_s
    return None if idle is None or ping_s < idle.value else max(1, idle.value // 2)


def platform_switches(placement: Placement, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the platform's variables that switch a protection off, where they do."""
    return tuple(
        switch.value
        for switch in placement.switches_off
        if environ.get(switch.value, "").strip().lower() in {"false", "0", "no", "off"}
    )


def _no_websocket(placement: Placement) -> Finding | None:
    websocket = placement.websocket
    fix = (
        "You don't have to do anything: the page uses HTTP requests if the WebSocket does not "
        "open. --transport http saves the attempt."
    )
    if websocket is not None and not websocket.value:
        title = f"{websocket.platform.title} blocks WebSockets"
        return Finding(code="STL901", title=title, fix=fix)
    for hit in placement.hits:
        fact = hit.platform.websocket
        if fact is not None and not fact.value and fact.certainty is Certainty.MEMORY:
            title = f"{hit.platform.title} is said to block WebSockets (not verified)"
            return Finding(code="STL901", title=title, fix=fix)
    return None


def _switched_off(placement: Placement, names: Sequence[str]) -> Finding | None:
    if not names:
        return None
    title = placement.switches_off[0].platform.title
    return Finding(
        code="STL902",
        title=f"{title} sets {' and '.join(names)} to false; the protection stays on",
        fix="You don't have to do anything: the app works with it. To switch it off anyway: "
        "--server.enableCORS false or --server.enableXsrfProtection false.",
    )


def _idle(limit: PlatformValue[int] | None, limits: AppLimits) -> Finding | None:
    if limit is None or limits.ping_s < limit.value:
        return None
    return Finding(
        code="STL903",
        title=f"{limit.platform.title} closes a connection that is quiet for {limit.value} s, and "
        f"the ping interval is {limits.ping_s} s; it is lowered to {max(1, limit.value // 2)} s",
        fix=f"Set server.websocketPingInterval below {limit.value}, or remove it.",
    )


def _body(limit: PlatformValue[int] | None, limits: AppLimits) -> Finding | None:
    if limit is None or limits.upload_bytes <= limit.value:
        return None
    return Finding(
        code="STL904",
        title=f"{limit.platform.title} accepts request bodies up to {_size(limit.value)}, and "
        f"server.maxUploadSize allows {_size(limits.upload_bytes)}",
        fix="You don't have to do anything: larger uploads are sent in pieces. A higher limit "
        "makes them faster.",
    )


def _message(limit: PlatformValue[int] | None, limits: AppLimits) -> Finding | None:
    if limit is None or limits.message_bytes <= limit.value:
        return None
    return Finding(
        code="STL909",
        title=f"{limit.platform.title} accepts WebSocket messages up to {_size(limit.value)}, and "
        f"server.maxMessageSize allows {_size(limits.message_bytes)}",
        fix="An element that is larger, such as a big table, ends the connection there: show less "
        "at once, or start with --transport http.",
    )


def _framed(placement: Placement) -> Finding | None:
    frame = placement.framed_by
    if frame is None:
        return None
    return Finding(
        code="STL905",
        title=f"{frame.platform.title} shows the app in a frame of {frame.value}, where browsers "
        f"withhold ordinary cookies; stlaunch sets the app's own so that they work there",
        fix=f"You don't have to do anything. To forbid all other sites to frame it: --embed-in "
        f"{frame.value}",
    )


def _service_variables(environ: Mapping[str, str]) -> Finding | None:
    # A Service called `streamlit` is common, and its STREAMLIT_PORT is no option of Streamlit.
    fronts = ("STREAMLIT_SERVER_", "STREAMLIT_BROWSER_", "STLAUNCH_")
    names = [
        name
        for name in service_variables(environ, *fronts)
        if is_service_address(environ[name]) and name.endswith("_PORT")
    ]
    if is_service_address(environ.get("PORT", "")):
        names.append("PORT")
    if not names:
        return None
    return Finding(
        code="STL906",
        title=f"{', '.join(names)} comes from a Kubernetes Service of that name and is ignored",
        fix="Rename the Service, or set enableServiceLinks: false in the pod's spec.",
    )


def _from_memory(placement: Placement) -> Finding | None:
    titles = [hit.platform.title for hit in placement.hits if not hit.decides]
    if not titles:
        return None
    return Finding(
        code="STL907",
        title=f"This looks like {' and '.join(titles)}, but stlaunch's facts about it were never "
        f"verified, so it changes no setting",
        fix="Set what the app needs yourself: --behind-proxy, --host, --port.",
    )


def _contradicting(placement: Placement, environ: Mapping[str, str]) -> Finding | None:
    others = contradictions(placement.hits, environ)
    nearest = placement.nearest
    if not others or nearest is None:
        return None
    settings = " and ".join(dict.fromkeys(other.value for other in others))
    titles = " and ".join(dict.fromkeys(other.platform.title for other in others))
    return Finding(
        code="STL908",
        title=f"Both {nearest.title} and {titles} were detected, and they differ in {settings}",
        fix=f"{nearest.title} decides. Remove the other one's variables, or set these yourself.",
    )


def _unusable(setting: PlatformValue[str]) -> Finding:
    return Finding(
        code="STL910",
        title=f"{', '.join(setting.names)} of {setting.platform.title} has no usable "
        f"{setting.value.replace('_', ' ')}",
        fix=f"Set it yourself: --{_FLAGS[setting.value]}",
    )


_FLAGS = {"base_path": "behind-proxy /path", "port": "port 8501", "host": "host 0.0.0.0"}


def _size(count: int) -> str:
    is_decimal = count % _MEGABYTE == 0
    return f"{count // _MEGABYTE if is_decimal else round(count / _MEBIBYTE)} MB"
