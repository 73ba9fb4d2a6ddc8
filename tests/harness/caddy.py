"""Caddy as its documentation has it, with one handler."""

from __future__ import annotations

from stlaunch.proxies.plans import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    ProxySite,
    refuse_setup,
)
from tests.harness.setups import Setup

_CONFIG = "Caddyfile"


def plan_caddy(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render a Caddyfile that fetches no certificates and opens no admin port.

    Raises:
        UsageError: for a setup other than `recommended`.
    """
    if setup is not Setup.RECOMMENDED:
        raise refuse_setup("Caddy", setup)
    return ProxyPlan(
        name="caddy",
        site=site,
        config_name=_CONFIG,
        config_text=_render(site),
        arguments=("run", "--config", _CONFIG, "--adapter", "caddyfile"),
    )


def _render(site: ProxySite) -> str:
    tls = f"\n\ttls {CERTIFICATE_FILE} {KEY_FILE}" if site.tls else ""
    return f"""{{
	admin off
	auto_https off
	persist_config off
	grace_period 1s
	servers {{
		protocols h1 h2
	}}
}}

{site.scheme}://:{site.listen.port} {{
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
