"""Envoy with one listener, as its documentation has it."""

from __future__ import annotations

from stlaunch.proxies.plans import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    ProxySite,
    refuse_setup,
)
from tests.harness.setups import Setup

_EXTENSIONS = "type.googleapis.com/envoy.extensions"

_CONFIG = "envoy.yaml"


def plan_envoy(setup: Setup, site: ProxySite) -> ProxyPlan:
    """Render an Envoy configuration with one listener; `blog` is the one without upgrades.

    Raises:
        UsageError: for a setup other than `blog` and `recommended`.
    """
    if setup not in {Setup.BLOG, Setup.RECOMMENDED}:
        raise refuse_setup("Envoy", setup)
    return ProxyPlan(
        name="envoy",
        site=site,
        config_name=_CONFIG,
        config_text=_render(site, upgrades=setup is Setup.RECOMMENDED),
        arguments=("-c", _CONFIG, "--disable-hot-restart", "--concurrency", "1", "-l", "warn"),
    )


def _render(site: ProxySite, *, upgrades: bool) -> str:
    return f"""static_resources:
  listeners:
    - address:
        socket_address: {{ address: "{site.listen.host}", port_value: {site.listen.port} }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": {_EXTENSIONS}.filters.network\
.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                use_remote_address: true
{_UPGRADE_CONFIGS if upgrades else ""}                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": {_EXTENSIONS}.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: web
                      domains: ["*"]
                      routes:
{_routes(site)}{_TLS if site.tls else ""}  clusters:
    - name: app
      connect_timeout: 5s
      type: STRICT_DNS
      load_assignment:
        cluster_name: app
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address:
                      address: "{site.upstream.host}"
                      port_value: {site.upstream.port}
"""


def _routes(site: ProxySite) -> str:
    """Render the two routes of Envoy's note on trailing slashes in prefix_rewrite."""
    base = site.base_path.value
    if not base:
        return _demo_route('prefix: "/"', "")
    rewrite = "" if site.keep_prefix else ', prefix_rewrite: "/"'
    return _demo_route(f'prefix: "{base}/"', rewrite) + _demo_route(f'path: "{base}"', rewrite)


def _demo_route(match: str, rewrite: str) -> str:
    return f"""                        - match: {{ {match} }}
                          route: {{ cluster: app, timeout: 0s{rewrite} }}
"""


_UPGRADE_CONFIGS = """                upgrade_configs:
                  - upgrade_type: websocket
"""

_TLS = f"""          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": {_EXTENSIONS}.transport_sockets.tls\
.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
                  - certificate_chain: {{ filename: {CERTIFICATE_FILE} }}
                    private_key: {{ filename: {KEY_FILE} }}
"""
