"""Traefik through its file provider: a router, a StripPrefix middleware or none, a service."""

from __future__ import annotations

from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import CERTIFICATE_FILE, KEY_FILE, ProxyPlan, ProxySite
from tests.harness.setups import Setup, plan_documented


def plan_traefik(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render Traefik's dynamic configuration; the static one is its command line.

    Raises:
        UsageError: for a setup other than `recommended`.
    """
    return plan_documented(Product.TRAEFIK, setup, site, _render(site))


def _render(site: ProxySite) -> str:
    strips = bool(site.base_path.value) and not site.keep_prefix
    router_tls = "\n      tls: {}" if site.tls else ""
    return f"""http:
  routers:
    app:
      rule: "PathPrefix(`{site.base_path.value or "/"}`)"
      service: app{_USE_STRIP if strips else ""}{router_tls}
{_strip_prefix(site) if strips else ""}  services:
    app:
      loadBalancer:
        servers:
          - url: "http://{site.upstream}"
{_TLS if site.tls else ""}"""


def _strip_prefix(site: ProxySite) -> str:
    return f"""  middlewares:
    strip-app:
      stripPrefix:
        prefixes:
          - "{site.base_path}"
"""


_USE_STRIP = """
      middlewares:
        - strip-app"""

_TLS = f"""tls:
  stores:
    default:
      defaultCertificate:
        certFile: {CERTIFICATE_FILE}
        keyFile: {KEY_FILE}
"""
