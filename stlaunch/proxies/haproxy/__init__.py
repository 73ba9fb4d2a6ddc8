"""HAProxy: `recipe` for a site of one's own, `balancer` before replicas that stlaunch starts."""

from __future__ import annotations

from stlaunch.proxies.haproxy.recipe import RECIPE

__all__ = ["RECIPE"]
