"""Apache httpd, 2.4.47 and newer, with mod_proxy, mod_proxy_http and mod_headers."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Lines, Part, Recipe, common_without
from stlaunch.proxies.needs import COMPRESSED_TYPES, Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, body, default_page, sent, server, via
from stlaunch.proxies.site import Site

_VALIDATE = "apachectl configtest"
_SIGNS = (
    server(rf"Apache{VERSION}"),
    via(r"\(Apache/"),
    body(rf"<address>Apache{VERSION}"),
    default_page(r"Apache2? (?:Debian|Ubuntu)? ?(?:Linux )?Default Page|<h1>It works!</h1>"),
    sent(
        "x-forwarded-server",
        "x-forwarded-host",
        "x-forwarded-for",
        absent=("x-forwarded-port", "x-real-ip"),
    ),
)


# --- its lines for each need

PRESERVE_HOST = "ProxyPreserveHost On"
UPGRADE = "upgrade=websocket"
"""The parameter of a ProxyPass line."""
_WHY_UPGRADE = "Without upgrade=websocket Apache forwards the handshake as a plain request."


def _route(site: Site) -> tuple[Part, ...]:
    return (_route_to_replicas(),) if len(site.servers) > 1 else _upgrade(site)


def _route_to_replicas() -> Part:
    lines = (
        'ProxyPass "<<base_slash>>" "balancer://streamlit<<target>>"\n'
        'ProxyPassReverse "<<base_slash>>" "balancer://streamlit<<target>>"'
    )
    return Part("server", lines, "Everything below the path goes to the replicas.")


def _upgrade(site: Site) -> tuple[Part, ...]:
    if len(site.servers) > 1:
        return ()
    place = f"unix:{site.socket}|http://localhost" if site.socket else "http://<<upstream>>"
    lines = (
        f'ProxyPass "<<base_slash>>" "{place}<<target>>" upgrade=websocket\n'
        f'ProxyPassReverse "<<base_slash>>" "{place.rpartition("|")[2]}<<target>>"'
    )
    return (Part("server", lines, _WHY_UPGRADE),)


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f"RequestHeader unset {name}" for name in site.identity_headers)
    return (
        (Part("location", lines, "Clients must not choose their own identity."),) if lines else ()
    )


def _affinity(site: Site) -> tuple[Part, ...]:
    members = "".join(
        f'    BalancerMember "http://{place}" route=r{number} upgrade=websocket\n'
        for number, place in enumerate(site.servers, 1)
    )
    return (
        Part(
            "server",
            (
                'Header add Set-Cookie "<<cookie>>=.%{BALANCER_WORKER_ROUTE}e; '
                "Path=<<base_slash>>; "
                'HttpOnly; SameSite=Lax<<secure>>" env=BALANCER_ROUTE_CHANGED\n'
                "<Proxy balancer://streamlit>\n"
                f"{members}    ProxySet stickysession=<<cookie>>\n"
                "</Proxy>"
            ),
            "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica, "
            "and upgrade=websocket hands the WebSocket on.",
        ),
        _route_to_replicas(),
    )


def _self_check(site: Site) -> tuple[Part, ...]:
    allowed = " ".join(site.self_check_from)
    rule = f"Require ip {allowed}" if allowed else "Require all denied"
    lines = (
        '<LocationMatch "^<<base_re>>/'
        '(_stlaunch(/+((<<diagnostics>>)/*)?)?|_stcore/+metrics/*)$">\n'
        f"    {rule}\n</LocationMatch>"
    )
    return (Part("server", lines, "Diagnostic pages and metrics are for operators only."),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    """The app's headers and those set with `always` are in two tables, and both are sent."""
    return "\n".join(
        f'Header onsuccess unset {name}\nHeader always set {name} "{value}"'
        for name, value in headers
    )


_LINES: Lines = {
    **header_lines("location", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "server",
            'RedirectMatch 308 "^<<base_re>>$" "<<base_slash>>"',
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.UPGRADE: _upgrade,
    Need.SUBPROTOCOL: (
        Part(
            "location",
            "RequestHeader setifempty Sec-WebSocket-Protocol expr=%{HTTP:Sec-WebSocket-Protocol}",
            "Streamlit's page closes a WebSocket whose subprotocol is not answered.",
        ),
    ),
    Need.HOST: (
        Part(
            "server",
            PRESERVE_HOST,
            "Apache sends the upstream's address as Host, and Streamlit compares Host with Origin.",
        ),
        Part(
            "location",
            (
                "RequestHeader unset X-Forwarded-Host\n"
                "RequestHeader unset X-Forwarded-Port\n"
                'RequestHeader set X-Forwarded-Prefix "<<base>>"'
            ),
            "What the client claims is thrown away; Apache adds X-Forwarded-Host itself.",
        ),
    ),
    Need.ORIGIN: (
        Part(
            "location",
            'RequestHeader edit Origin "^(.*)$" "$1"',
            "Origin stays as the browser sent it; Streamlit compares it with Host.",
        ),
    ),
    Need.SCHEME: (
        Part(
            "location",
            "RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}",
            "Cookies get Secure, and redirects https.",
        ),
    ),
    Need.CLIENT: (
        Part(
            "location",
            ("RequestHeader set X-Real-IP expr=%{REMOTE_ADDR}\nRequestHeader unset Forwarded"),
            "The app sees the client's address; Apache adds it to X-Forwarded-For itself.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.HEADER_SIZE: (
        Part(
            "server",
            "LimitRequestFieldSize 16380",
            "A login can have 12 KB of cookies; Apache takes 8 KB, and answers 400.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "server",
            "ProxyTimeout <<idle_s>>",
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "location",
            "SetEnv proxy-sendchunked 1",
            "Uploads are forwarded at once; Apache does not hold responses back.",
        ),
    ),
    Need.COMPRESSION: (
        Part(
            "server",
            (
                '<Location "<<base>>/static/">\n'
                f"    AddOutputFilterByType DEFLATE {' '.join(COMPRESSED_TYPES)}\n"
                "</Location>"
            ),
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep these "
            "hashed files for a year; the page is neither compressed nor kept.",
        ),
    ),
    Need.CACHING: (
        Part(
            "server",
            'CacheDisable "<<base_slash>>"',
            "The page must be fresh; hashed assets are kept by browsers.",
        ),
    ),
    Need.AFFINITY: _affinity,
    Need.SELF_CHECK: _self_check,
    Need.METRICS: (
        Part(
            "server",
            '<Location "<<base>>/_stcore/metrics">\n    Require all denied\n</Location>',
            "Metrics are for the people who run the app.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#: Needs `a2enmod proxy proxy_http headers alias deflate`, and for replicas `proxy_balancer lbmethod_byrequests slotmem_shm`.
<VirtualHost *:<<port>>>
    ?named ServerName <<host>>

    ?tls #: A first visit loads 80 files; `a2enmod http2`.
    ?tls Protocols h2 http/1.1

    ?tls #: The certificate, with its chain, and its key; `a2enmod ssl`.
    ?tls SSLEngine on
    ?tls SSLCertificateFile "<<certificate>>"
    ?tls SSLCertificateKeyFile "<<key>>"

    #[ in your <VirtualHost>
    @server

    #: What the app is told about a request.
    <Location "<<base_slash>>">
        @location
    </Location>
    #]
</VirtualHost>
"""  # noqa: E501 - lines of its language

_KINDS = (
    Kind(
        name="apache",
        takes_files=True,
        title="Apache httpd",
        product=Product.APACHE,
        template=_TEMPLATE,
        put_into="/etc/apache2/sites-enabled/streamlit.conf",
        needs=common_without(Need.UPGRADE),
    ),
)


_LEAST = """\
ProxyPass "<<base_slash>>" "http://<<upstream>><<target>>" \\
  upgrade=websocket"""

RECIPE = Recipe(
    title="Apache",
    signs=_SIGNS,
    places={
        "server": "in Apache, inside your `<VirtualHost>`",
        "location": "in Apache, inside `<Location <<base_slash>>>`",
    },
    validate=_VALIDATE,
    reload=f"{_VALIDATE} && apachectl graceful",
    parts=_LINES,
    kinds=_KINDS,
    least=_LEAST,
)
