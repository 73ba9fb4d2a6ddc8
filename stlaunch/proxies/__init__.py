"""All that is known about reverse proxies; one file a product, beside the machinery they share.

To learn about nginx, open nginx.py: its signs, its lines for each need, its configuration, how it
is checked and started.
"""

from __future__ import annotations

from stlaunch.proxies.fixes import Fix, fix_for, recipe
from stlaunch.proxies.model import Kind, Part, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.plans import ProxyPlan, ProxySetup, ProxySite, TlsFiles
from stlaunch.proxies.process import ProxyProcess, end_process_group, has_ended
from stlaunch.proxies.signs import Sign
from stlaunch.proxies.site import Site
from stlaunch.proxies.starting import find_binary, plan_proxy, startable

__all__ = [
    "Fix",
    "Kind",
    "Need",
    "Part",
    "Product",
    "ProxyPlan",
    "ProxyProcess",
    "ProxySetup",
    "ProxySite",
    "Recipe",
    "Sign",
    "Site",
    "TlsFiles",
    "end_process_group",
    "find_binary",
    "fix_for",
    "has_ended",
    "plan_proxy",
    "recipe",
    "startable",
]
