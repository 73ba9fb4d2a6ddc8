"""Debian's Varnish with its built-in rules, which know no WebSocket and cache what they may.

Owns the text of one configuration. It starts nothing.
"""

from __future__ import annotations

from pathlib import Path

from stlaunch.proxies.plans import ProxyPlan, ProxySite, refuse_setup
from tests.harness.setups import Setup

VARNISHD = Path("/usr/sbin/varnishd")
SHELL = Path("/bin/sh")
_CONFIG = "default.vcl"
# varnishd looks for relative names in its own folders, which the shell prevents. No jail: the
# directory is private to whoever runs the tests, root or not.
_COMMAND = (
    f'exec {VARNISHD} -F -j none -n "$PWD/work" -f "$PWD/{_CONFIG}" '
    "-a {listen} -s malloc,64m -s Transient=malloc,64m"
)


def plan_varnish(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render a VCL that only finds the app, without a pipe (`blog`); to be run by `SHELL`.

    Raises:
        UsageError: for another setup, or for https, which Varnish does not speak.
    """
    if setup is not Setup.BLOG or site.tls is not None:
        raise refuse_setup("Varnish", setup)
    listen = f"{site.listen.host}:{site.listen.port}"
    return ProxyPlan(
        name="varnish",
        site=site,
        config_name=_CONFIG,
        config_text=_render(site),
        arguments=("-c", _COMMAND.format(listen=listen)),
    )


def _render(site: ProxySite) -> str:
    base = site.base_path.with_slash
    strip = f'set req.url = regsub(req.url, "^{base}", "/");'
    return f"""vcl 4.1;

backend default {{
    .host = "{site.upstream.host}";
    .port = "{site.upstream.port}";
}}

sub vcl_recv {{
    {"" if site.keep_prefix else strip}
}}
"""
