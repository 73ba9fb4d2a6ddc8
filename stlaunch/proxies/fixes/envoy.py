"""Envoy, 1.29 and newer; lines alone. Without `upgrade_configs` it refuses every WebSocket."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import COMPRESSED_TYPES, ENCODED_LETTERS, Need, Part, Recipe, Site

_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def _route(site: Site) -> tuple[Part, ...]:
    rewrite = "" if site.keep_prefix else ', prefix_rewrite: "/"'
    lines = (
        '- match: { prefix: "<<base_slash>>" }\n'
        f"  route: {{ cluster: streamlit, timeout: 0s{rewrite} }}"
    )
    if len(site.servers) > 1:
        lines = (
            '- match: { prefix: "<<base_slash>>" }\n'
            "  route:\n    cluster: streamlit\n    timeout: 0s\n"
            + ("" if site.keep_prefix else '    prefix_rewrite: "/"\n')
            + "    hash_policy:\n"
            "      - cookie:\n          name: <<cookie>>\n          ttl: 0s\n"
            '          path: "<<base_slash>>"\n'
            "          attributes: [ { name: SameSite, value: Lax } ]"
        )
    return (Part("routes", lines, "Everything below the path; a stream may last for ever."),)


def _identity(site: Site) -> tuple[Part, ...]:
    names = "\n".join(f"  - {name}" for name in ("Forwarded", "X-Forwarded-Port", "X-Real-IP"))
    more = "".join(f"\n  - {name}" for name in site.identity_headers)
    lines = f"request_headers_to_remove:\n{names}{more}"
    return (Part("route_config", lines, "Nobody may say himself who he is or where he is."),)


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
        '(_stlaunch(/|/(<<diagnostics>>)/?)?|_stcore/metrics)"\n'
        "            # However the path is written.\n"
        "            - url_path:\n"
        "                path:\n"
        "                  safe_regex:\n"
        f'                    regex: "(?i).*{ENCODED_LETTERS}.*"\n'
        f"          principals:\n            {who.replace(chr(10), chr(10) + '    ')}"
    )
    return (Part("filters", lines, "Diagnostic pages and metrics are not for everybody."),)


RECIPE = Recipe(
    places={
        "manager": "in Envoy, in the `HttpConnectionManager`",
        "filters": "in Envoy, in `http_filters`, before the router",
        "route_config": "in Envoy, in `route_config`",
        "routes": "in Envoy, in the virtual host's `routes`",
        "cluster": "in Envoy, in the app's cluster",
    },
    reload="envoy --mode validate -c /etc/envoy/envoy.yaml",
    parts={
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
                "Host goes on as it came; what the client claims is overwritten.",
            ),
        ),
        Need.SCHEME: (
            Part(
                "manager",
                "use_remote_address: true",
                "Envoy writes X-Forwarded-For and X-Forwarded-Proto itself.",
            ),
        ),
        Need.CLIENT: (
            Part(
                "manager",
                "use_remote_address: true",
                "Envoy writes X-Forwarded-For and X-Forwarded-Proto itself.",
            ),
        ),
        Need.IDENTITY: _identity,
        Need.BODY_SIZE: (
            Part(
                "filters",
                ("- name: envoy.filters.http.buffer\n  disabled: true"),
                "A buffer filter has a limit, and makes WebSockets hang; Envoy itself has none.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "manager",
                "stream_idle_timeout: <<idle_s>>s",
                "A quiet WebSocket outlives several pings.",
            ),
        ),
        Need.BUFFERING: (
            Part(
                "filters",
                "- name: envoy.filters.http.buffer\n  disabled: true",
                "A buffer filter holds uploads back and makes WebSockets hang.",
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
        Need.AFFINITY: (
            Part(
                "cluster",
                "lb_policy: RING_HASH",
                "Streamlit keeps sessions and uploads in one process; the route's cookie chooses "
                "the replica.",
            ),
        ),
        Need.SELF_CHECK: _self_check,
    },
)
