"""Describe how the fallback over HTTP did, from what the probes saw. Pure."""

from __future__ import annotations

from stlaunch.check.observations import Observations
from stlaunch.diagnostics.severity import Circumstance


def without_socket(seen: Observations) -> tuple[tuple[Circumstance, ...], str]:
    """Return whether stlaunch's page goes on over plain requests, and a sentence about it."""
    session, tunnel = seen.fallback, seen.http.get("tunnel")
    if session is not None and session.messages:
        return (Circumstance.FALLBACK,), " Under stlaunch the page uses HTTP requests instead."
    if session is not None and (tunnel is None or tunnel.is_ok):
        return (), " The fallback over HTTP requests opens, but no message came."
    if tunnel is not None:
        told = tunnel.status or tunnel.detail
        return (), f" The fallback over HTTP requests fails too: {tunnel.method} gets {told}."
    return (), ""
