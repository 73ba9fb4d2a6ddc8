"""Caddy as its documentation has it, with one handler."""

from __future__ import annotations

from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import CERTIFICATE_FILE, KEY_FILE, ProxyPlan, ProxySite
from tests.harness.setups import Setup, plan_documented


def plan_caddy(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render a Caddyfile.

    Raises:
        UsageError: for a setup other than `recommended`.
    """
    return plan_documented(Product.CADDY, setup, site, _render(site))


def _render(site: ProxySite) -> str:
    tls = f"\n\ttls {CERTIFICATE_FILE} {KEY_FILE}" if site.tls else ""
    return f"""{site.scheme}://:{site.listen.port} {{
	bind {site.listen.host}{tls}
{_handler(site)}
}}
"""


def _handler(site: ProxySite) -> str:
    base = site.base_path.value
    if not base:
        return f"\treverse_proxy {site.upstream}"
    directive = "handle" if site.keep_prefix else "handle_path"
    return f"""	redir {base} {base}/
	{directive} {base}/* {{
		reverse_proxy {site.upstream}
	}}"""
