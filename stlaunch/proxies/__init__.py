"""All that is known about reverse proxies: their lines, their configurations, their processes."""

from __future__ import annotations

from stlaunch.proxies.binaries import find_binary
from stlaunch.proxies.fixes import Fix, Need, Part, Product, Recipe, Site, fix_for, recipe
from stlaunch.proxies.kinds import ProxyKind, ProxySetup
from stlaunch.proxies.plans import ProxyPlan, ProxySite, TlsFiles
from stlaunch.proxies.process import ProxyProcess, end_process_group, has_ended
from stlaunch.proxies.setups import plan_proxy

__all__ = [
    "Fix",
    "Need",
    "Part",
    "Product",
    "ProxyKind",
    "ProxyPlan",
    "ProxyProcess",
    "ProxySetup",
    "ProxySite",
    "Recipe",
    "Site",
    "TlsFiles",
    "end_process_group",
    "find_binary",
    "fix_for",
    "has_ended",
    "plan_proxy",
    "recipe",
]
