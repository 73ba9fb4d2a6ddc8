"""Debian's lighttpd as a proxy that upgrades nothing and, as it comes, buffers whole responses.

Owns the text of one configuration. It starts nothing.
"""

from __future__ import annotations

from stlaunch.proxies.plans import ProxyPlan, ProxySite, refuse_setup
from tests.harness.setups import Setup

_CONFIG = "lighttpd.conf"


def plan_lighttpd(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render a lighttpd configuration; `blog` is the only setup, without `"upgrade" => "enable"`.

    Raises:
        UsageError: for another setup, or for https, whose module is a package of its own.
    """
    if setup is not Setup.BLOG or site.tls is not None:
        raise refuse_setup("lighttpd", setup)
    return ProxyPlan(
        name="lighttpd",
        site=site,
        config_name=_CONFIG,
        config_text=_render(site),
        arguments=("-D", "-f", _CONFIG),
    )


def _render(site: ProxySite) -> str:
    base = site.base_path.with_slash
    mapping = f'proxy.header = ("map-urlpath" => ("{base}" => "/"))'
    return f"""server.modules = ("mod_proxy")
server.bind = "{site.listen.host}"
server.port = {site.listen.port}
server.document-root = "."
server.errorlog = "/dev/stderr"
server.upload-dirs = (".")

$HTTP["url"] =^ "{base}" {{
    proxy.server = ("" => (("host" => "{site.upstream.host}", "port" => {site.upstream.port})))
    {"" if site.keep_prefix else mapping}
}}
"""
