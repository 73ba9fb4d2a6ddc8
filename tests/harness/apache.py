"""Debian's Apache with the `ProxyPass ... upgrade=websocket` of its own documentation.

Owns the text of one configuration. It starts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stlaunch.proxies.plans import CERTIFICATE_FILE, KEY_FILE, ProxyPlan, refuse_setup
from tests.harness.setups import Setup

if TYPE_CHECKING:
    from stlaunch.proxies.plans import ProxySite

_CONFIG = "httpd.conf"
_MODULES = (
    "mpm_event",
    "authz_core",
    "headers",
    "proxy",
    "proxy_http",
    "socache_shmcb",
    "ssl",
)
_TLS = f"""
SSLEngine on
SSLCertificateFile {CERTIFICATE_FILE}
SSLCertificateKeyFile {KEY_FILE}"""


def plan_apache(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render an Apache configuration; `blog` is the one without `upgrade=websocket`.

    As in the documentation there is no `ProxyPreserveHost`, so `Host` arrives rewritten and
    `X-Forwarded-Host` carries the name that the browser used.

    Raises:
        UsageError: for a setup other than `blog` and `recommended`.
    """
    if setup not in {Setup.BLOG, Setup.RECOMMENDED}:
        raise refuse_setup("Apache", setup)
    upgrade = " upgrade=websocket" if setup is Setup.RECOMMENDED else ""
    return ProxyPlan(
        name="apache",
        site=site,
        config_name=_CONFIG,
        config_text=_render(site, upgrade),
        arguments=("-d", ".", "-f", _CONFIG, "-DFOREGROUND"),
    )


def _render(site: ProxySite, upgrade: str) -> str:
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _MODULES
    )
    # A path with its slash on both sides, or without on both: they replace each other.
    path = site.base_path.value if site.keep_prefix else site.base_path.with_slash
    target = f"http://{site.upstream}{path if site.keep_prefix else '/'}"
    return f"""{modules}
Listen {site.listen}
ServerName localhost
DefaultRuntimeDir .
PidFile apache.pid
ErrorLog /dev/stderr
# Heard only when root starts it.
User www-data
Group www-data
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25{_TLS if site.tls else ""}

RequestHeader set X-Forwarded-Proto "{site.scheme}"
ProxyPass "{path}" "{target}"{upgrade}
ProxyPassReverse "{path}" "{target}"
"""
