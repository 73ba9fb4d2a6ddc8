"""lighttpd, 1.4.56 and newer, with mod_proxy and mod_setenv."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Lines, Part, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, default_page, sent, server
from stlaunch.proxies.site import Site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_VALIDATE = "lighttpd -tt -f /etc/lighttpd/lighttpd.conf"
_SIGNS = (
    server(rf"lighttpd{VERSION}"),
    default_page(r"(?i)welcome page.{0,80}lighttpd|<h1>placeholder page"),
    sent("x-host", "x-forwarded-proto", absent=("x-real-ip",)),
)


# --- its lines for each need


def _route(site: Site) -> tuple[Part, ...]:
    def server(place: str) -> str:
        if site.socket:
            return f'( "host" => "{site.socket}" )'
        host, _, port = place.rpartition(":")
        return f'( "host" => "{host.strip("[]")}", "port" => {port} )'

    servers = ", ".join(server(place) for place in site.servers)
    why = "The replicas." if len(site.servers) > 1 else "The app."
    return (Part("path", f'proxy.server = ( "" => ( {servers} ) )', why),)


def _upgrade(site: Site) -> tuple[Part, ...]:
    strip = "" if site.keep_prefix else ', "map-urlpath" => ( "<<base_slash>>" => "/" )'
    why = "lighttpd drops the WebSocket upgrade by default."
    return (Part("path", f'proxy.header = ( "upgrade" => "enable"{strip} )', why),)


def _identity(site: Site) -> tuple[Part, ...]:
    names = (*site.identity_headers, "Forwarded", "X-Forwarded-Port", "X-Real-IP")
    lines = "\n".join(f'    "{name}" => "",' for name in names)
    block = f'setenv.set-request-header = (\n{lines}\n    "X-Forwarded-Prefix" => "<<base>>"\n)'
    return (Part("path", block, "Clients must not choose their own identity or address."),)


def _self_check(site: Site) -> tuple[Part, ...]:
    names = "|".join(DIAGNOSTICS)
    path = f'$HTTP["url"] =~ "^<<base_re>>/(_stlaunch(/+(({names})/*)?)?|_stcore/+metrics/*)$"'
    inner, depth = 'url.access-deny = ( "" )', 1
    lines = [f"{path} {{"]
    for network in site.self_check_from:
        lines.append("    " * depth + f'$HTTP["remoteip"] != "{network}" {{')
        depth += 1
    lines.append("    " * depth + inner)
    lines.extend("    " * (depth - up - 1) + "}" for up in range(depth))
    why = "Diagnostic pages and metrics are for operators only."
    return (Part("global", "\n".join(lines), why),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    lines = ",\n".join(f'    "{name}" => "{value}"' for name, value in headers)
    return f"setenv.set-response-header = (\n{lines}\n)"


_LINES: Lines = {
    **header_lines("path", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "global",
            '$HTTP["url"] == "<<base_or_root>>" {\n'
            '    url.redirect = ( "" => "<<base_slash>>${qsa}" )\n'
            "    url.redirect-code = 308\n}",
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.UPGRADE: _upgrade,
    Need.IDENTITY: _identity,
    Need.BODY_SIZE: (
        Part(
            "global",
            "server.max-request-size = <<body_kb>>",
            "In KiB; uploads may be as large as server.maxUploadSize, and no larger.",
        ),
    ),
    Need.HEADER_SIZE: (
        Part(
            "global",
            "server.max-request-field-size = 16384",
            "A login can have 12 KB of cookies; lighttpd takes 8 KB, and answers 431.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "global",
            "server.max-read-idle = <<idle_s>>\nserver.max-write-idle = <<idle_s>>",
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "global",
            "server.stream-request-body = 2\nserver.stream-response-body = 2",
            "lighttpd holds whole bodies back by default.",
        ),
    ),
    Need.COMPRESSION: (
        Part(
            "static",
            (
                'deflate.allowed-encodings = ( "gzip" )\n'
                'deflate.mimetypes = ( "text/css", "text/javascript", '
                '"application/javascript", "application/json" )'
            ),
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep these "
            "hashed files for a year; the page is neither compressed nor kept.",
        ),
    ),
    Need.AFFINITY: (
        Part(
            "path",
            'proxy.balance = "sticky"',
            "Streamlit keeps sessions and uploads in one process; the client's address chooses "
            "the replica.",
        ),
    ),
    Need.SELF_CHECK: _self_check,
}


# --- its complete configuration

_TEMPLATE = """\
#: What is used.
server.modules = ( "mod_proxy", "mod_redirect", "mod_access", "mod_setenv", "mod_deflate" )

#: The site; nothing but the app is served.
server.port = <<port>>
server.document-root = "/var/empty"

?tls #: The certificate, with its chain, and its key; the package lighttpd-mod-openssl.
?tls server.modules += ( "mod_openssl" )
?tls ssl.engine = "enable"
?tls ssl.pemfile = "<<certificate>>"
?tls ssl.privkey = "<<key>>"

#[ outside of any block
@global

#: The app.
$HTTP["url"] =^ "<<base_slash>>" {
    @path
}

#: Streamlit's assets.
$HTTP["url"] =^ "<<base>>/static/" {
    @static
}
#]
"""

_KINDS = (
    Kind(
        name="lighttpd",
        takes_files=True,
        title="lighttpd",
        product=Product.LIGHTTPD,
        template=_TEMPLATE,
        put_into="/etc/lighttpd/lighttpd.conf",
        notes=("Affinity goes by the client's address: browsers behind one address share.",),
    ),
)


RECIPE = Recipe(
    title="lighttpd",
    signs=_SIGNS,
    places={
        "global": "in lighttpd.conf, outside of any block",
        "path": 'in lighttpd.conf, inside `$HTTP["url"] =^ "<<base_slash>>" { }`',
        "static": 'in lighttpd.conf, inside `$HTTP["url"] =^ "<<base>>/static/" { }`',
    },
    validate=_VALIDATE,
    reload=f"{_VALIDATE} && systemctl reload lighttpd",
    parts=_LINES,
    kinds=_KINDS,
    along={Need.ROUTE: Need.UPGRADE},  # its line strips the path as well
)
