"""HAProxy with one frontend and one backend, as its documentation has it."""

from __future__ import annotations

import re

from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import CERTIFICATE_AND_KEY_FILE, ProxyPlan, ProxySite
from tests.harness.setups import Setup, plan_documented


def plan_haproxy(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render an HAProxy configuration with one frontend and one backend.

    Raises:
        UsageError: for a setup other than `recommended`.
    """
    return plan_documented(Product.HAPROXY, setup, site, _render(site))


def _render(site: ProxySite) -> str:
    base = site.base_path.value
    tls = f" ssl crt {CERTIFICATE_AND_KEY_FILE} alpn h2,http/1.1" if site.tls else ""
    strip = rf"    http-request replace-path '^{re.escape(base)}/?(.*)$' '/\1'" + "\n"
    return f"""global
    log stderr format raw local0 notice

defaults
    mode http
    log global
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    timeout tunnel 1h

frontend web
    bind {site.listen}{tls}
    acl is_app path {base or "/"}
    acl is_app path_beg {base}/
    http-request return status 404 unless is_app
    default_backend app

backend app
    option forwardfor
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto {site.scheme}
{strip if base and not site.keep_prefix else ""}    server app {site.upstream}
"""
