"""nginx as people configure it: three ways that are often copied, and the documented one."""

from __future__ import annotations

from stlaunch.proxies.plans import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    ProxySite,
)
from stlaunch.proxies.site import Site
from tests.harness.setups import Setup

_CONFIG = "nginx.conf"

# https://nginx.org/en/docs/http/websocket.html
_MAP = """
    map $http_upgrade $connection_upgrade {
        default upgrade;
        ''      close;
    }
"""

_UPGRADE = """
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";"""

_RECOMMENDED = """
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            client_max_body_size {body_mb}m;"""


def plan_nginx(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render an nginx configuration that runs without privileges, in one process."""
    return ProxyPlan(
        name="nginx",
        site=site,
        config_name=_CONFIG,
        config_text=_render(setup, site),
        arguments=("-p", ".", "-c", _CONFIG, "-e", "stderr"),
    )


def _render(setup: Setup, site: ProxySite) -> str:
    # One process: there are no workers that could outlive it, and no `user` to choose.
    return f"""daemon off;
master_process off;
pid nginx.pid;
error_log stderr;

events {{
}}

http {{
    access_log off;
    client_body_temp_path client_body_temp;
    proxy_temp_path proxy_temp;
{_MAP if setup is Setup.RECOMMENDED else ""}
    server {{
{_listen(setup, site)}
{_locations(setup, site)}
    }}
}}
"""


def _listen(setup: Setup, site: ProxySite) -> str:
    if site.tls is None:
        return f"        listen {site.listen};"
    http2 = " http2" if setup is Setup.RECOMMENDED else ""
    return f"""        listen {site.listen} ssl{http2};
        ssl_certificate {CERTIFICATE_FILE};
        ssl_certificate_key {KEY_FILE};"""


def _locations(setup: Setup, site: ProxySite) -> str:
    base = site.base_path.with_slash
    match setup:
        case Setup.BLOG:
            return _location(site, base, "")
        case Setup.BLOG_STREAM:
            stream = _location(site, f"{base}_stcore/stream", _UPGRADE)
            return f"{_location(site, base, '')}\n{stream}"
        case Setup.THREE_LINES:
            return _location(site, base, _UPGRADE)
        case Setup.RECOMMENDED:
            body_mb = Site(base_path=site.base_path).values["body_mb"]
            return _location(site, base, _RECOMMENDED.format(body_mb=body_mb))


def _location(site: ProxySite, path: str, lines: str) -> str:
    """With a path after the upstream, nginx replaces the location's own path by it."""
    rest = path.removeprefix(site.base_path.value)
    replacement = "" if site.keep_prefix else rest
    return f"""        location {path} {{
            proxy_pass http://{site.upstream}{replacement};{lines}
        }}"""
