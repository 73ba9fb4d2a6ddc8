"""HAProxy: `recipe` for your own site, `balancer` for replicas that stlaunch starts."""

from __future__ import annotations

from stlaunch.proxies.haproxy.recipe import RECIPE

__all__ = ["RECIPE"]
