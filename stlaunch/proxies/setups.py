"""The one table from a proxy and a setup to the plan that starts it; it starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stlaunch.proxies.caddy import plan_caddy
from stlaunch.proxies.envoy import plan_envoy
from stlaunch.proxies.haproxy import plan_haproxy
from stlaunch.proxies.kinds import ProxyKind, ProxySetup
from stlaunch.proxies.nginx import plan_nginx
from stlaunch.proxies.traefik import plan_traefik

if TYPE_CHECKING:
    from collections.abc import Callable

    from stlaunch.proxies.plans import ProxyPlan, ProxySite

_PLANNERS: dict[ProxyKind, Callable[[ProxySetup, ProxySite], ProxyPlan]] = {
    ProxyKind.NGINX: plan_nginx,
    ProxyKind.CADDY: plan_caddy,
    ProxyKind.TRAEFIK: plan_traefik,
    ProxyKind.HAPROXY: plan_haproxy,
    ProxyKind.ENVOY: plan_envoy,
}


def plan_proxy(kind: ProxyKind, setup: ProxySetup, site: ProxySite) -> ProxyPlan:
    """Plan a proxy of this kind in front of the app.

    Raises:
        UsageError: for a setup that this kind of proxy has no counterpart to.
    """
    return _PLANNERS[kind](setup, site)
