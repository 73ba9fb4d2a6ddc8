"""Traefik through its file provider: a router, a StripPrefix middleware or none, a service."""

from __future__ import annotations

from stlaunch.proxies.plans import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    ProxySite,
    refuse_setup,
)
from tests.harness.setups import Setup

_CONFIG = "dynamic.yml"
_READY_PATH = "/traefik-is-ready"


def plan_traefik(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render Traefik's dynamic configuration; the static one is its command line.

    Traefik listens before it has read the file, and answers 404 until then. The router to its
    own ping service stands in the same file, so that its 200 tells that the file is in force.

    Raises:
        UsageError: for a setup other than `recommended`.
    """
    if setup is not Setup.RECOMMENDED:
        raise refuse_setup("Traefik", setup)
    return ProxyPlan(
        name="traefik",
        site=site,
        config_name=_CONFIG,
        config_text=_render(site),
        arguments=(
            f"--entrypoints.web.address={site.listen}",
            "--entrypoints.web.transport.lifecycle.gracetimeout=100ms",
            f"--providers.file.filename={_CONFIG}",
            "--providers.file.watch=false",
            "--providers.providersthrottleduration=50ms",
            "--ping.manualrouting=true",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=INFO",
        ),
        ready_path=_READY_PATH,
    )


def _render(site: ProxySite) -> str:
    strips = bool(site.base_path.value) and not site.keep_prefix
    router_tls = "\n      tls: {}" if site.tls else ""
    return f"""http:
  routers:
    app:
      rule: "PathPrefix(`{site.base_path.value or "/"}`)"
      service: app{_USE_STRIP if strips else ""}{router_tls}
    ready:
      rule: "Path(`{_READY_PATH}`)"
      service: ping@internal{router_tls}
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
