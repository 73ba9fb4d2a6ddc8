"""Caddy 2; lines of a Caddyfile alone. Most needs it covers by itself unless told otherwise."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import DIAGNOSTICS, Need, Part, Recipe, Site


def _route(site: Site) -> tuple[Part, ...]:
    if len(site.servers) > 1:
        to = "".join(f"to {place}\n" for place in site.servers)
        return (Part("proxy", to.rstrip(), "The replicas."),)
    return (Part("proxy", "to <<upstream>>", "The app."),)


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f"header_up -{name}" for name in site.identity_headers)
    return (Part("proxy", lines, "Nobody may say himself who he is."),) if lines else ()


def _self_check(site: Site) -> tuple[Part, ...]:
    ends = ["_stlaunch", "_stlaunch/", *(f"_stlaunch/{name}" for name in DIAGNOSTICS)]
    ends += [f"_stlaunch/{name}/" for name in DIAGNOSTICS]
    paths = " ".join(f"<<target>>{end}" for end in [*ends, "_stcore/metrics"])
    allowed = " ".join(site.self_check_from)
    exception = f"\n\tnot remote_ip {allowed}" if allowed else ""
    lines = f"@diagnostics {{\n\tpath {paths}{exception}\n}}\nrespond @diagnostics 403"
    return (Part("route", lines, "Diagnostic pages and metrics are not for everybody."),)


RECIPE = Recipe(
    places={
        "site": "in the Caddyfile, inside your site's block",
        "route": "in the Caddyfile, inside `handle <<base>>/* { }`",
        "proxy": "in the Caddyfile, inside `reverse_proxy { }`",
    },
    reload="caddy reload --config /etc/caddy/Caddyfile",
    parts={
        Need.ROUTE: _route,
        Need.SLASH: (
            Part(
                "site",
                "redir <<base_or_root>> <<base_slash>>{?query} 308",
                "The address without its final slash leads to the app.",
            ),
        ),
        Need.UPGRADE: (
            Part(
                "proxy",
                (
                    "header_up Connection {http.request.header.Connection}\n"
                    "header_up Upgrade {http.request.header.Upgrade}"
                ),
                "Caddy hands the WebSocket on by itself; a header_up or request_header line that "
                "changes these must go.",
            ),
        ),
        Need.SUBPROTOCOL: (
            Part(
                "proxy",
                "header_up Sec-WebSocket-Protocol {http.request.header.Sec-WebSocket-Protocol}",
                "Streamlit's page closes a WebSocket whose subprotocol is not answered.",
            ),
        ),
        Need.HOST: (
            Part(
                "proxy",
                "header_up Host {http.request.hostport}",
                "Streamlit compares Host with Origin; Caddy keeps Host unless told otherwise.",
            ),
        ),
        Need.SCHEME: (
            Part(
                "proxy",
                "header_up X-Forwarded-Proto {http.request.scheme}",
                "Cookies get Secure, and redirects https.",
            ),
        ),
        Need.CLIENT: (
            Part(
                "proxy",
                (
                    "header_up X-Real-IP {http.request.remote.host}\n"
                    'header_up X-Forwarded-Prefix "<<base>>"\n'
                    "header_up -X-Forwarded-Port\n"
                    "header_up -Forwarded"
                ),
                "Caddy itself overwrites X-Forwarded-For, -Host and -Proto; these would be what "
                "the client claims.",
            ),
        ),
        Need.IDENTITY: _identity,
        Need.BODY_SIZE: (
            Part(
                "route",
                "request_body {\n\tmax_size <<body_mb>>MiB\n}",
                "Uploads may be as large as server.maxUploadSize, and no larger.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "proxy",
                "stream_close_delay 5m",
                "A reload of Caddy does not cut open WebSockets at once; idle ones are never cut.",
            ),
        ),
        Need.BUFFERING: (Part("proxy", "flush_interval -1", "Streams go on as they come."),),
        Need.COMPRESSION: (
            Part(
                "site",
                "encode <<base>>/static/* zstd gzip",
                "A first visit loads 1 MB instead of 3. The app itself lets browsers keep these "
                "hashed files for a year; the page is neither compressed nor kept.",
            ),
        ),
        Need.AFFINITY: (
            Part(
                "proxy",
                "lb_policy cookie <<cookie>>",
                "Streamlit keeps sessions and uploads in one process; the cookie chooses the "
                "replica.",
            ),
        ),
        Need.SELF_CHECK: _self_check,
        Need.METRICS: (
            Part(
                "route",
                "respond <<target>>_stcore/metrics 403",
                "Metrics are for the people who run the app.",
            ),
        ),
    },
)
