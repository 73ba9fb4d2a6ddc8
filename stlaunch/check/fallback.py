"""Describe how the fallback over HTTP did, from what the probes saw. Pure."""

from __future__ import annotations

from stlaunch.check.observations import Observations
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.urls.streamlit_routes import TUNNELS


def without_socket(seen: Observations) -> tuple[tuple[Circumstance, ...], str]:
    """Return whether stlaunch's page keeps working over plain requests, and a sentence about it."""
    session, tunnel = seen.fallback, seen.http.get("tunnel")
    if session is not None and session.messages:
        works = f" Under stlaunch the page uses HTTP requests instead{detour(seen)}."
        return (Circumstance.FALLBACK,), works
    if session is not None and (tunnel is None or tunnel.is_ok):
        return (), " The fallback over HTTP requests opens, but no message came."
    if tunnel is not None:
        answer = tunnel.status or tunnel.detail
        return (), f" The fallback over HTTP requests fails too: {tunnel.method} gets {answer}."
    return (), ""


def detour(seen: Observations) -> str:
    """Return the path on which the fallback got through, unless it is the usual one."""
    tunnel = seen.http.get("tunnel")
    for path in TUNNELS[1:]:
        if tunnel is not None and f"{seen.base_path}{path}" in tunnel.url:
            return f", at {path[1:]} because {TUNNELS[0][1:]} is blocked"
    return ""
