"""Varnish 6 and 7. It has no TLS: hitch or another proxy terminates it in front."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Lines, Part, Parts, Recipe
from stlaunch.proxies.needs import ENCODED_LETTERS, Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, Side, body, default_page, sent, via
from stlaunch.proxies.site import Site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_BEHIND_TLS = ("127.0.0.1", 8443)
"""Where Varnish listens for the proxy that terminates TLS."""
_PROXIED = f"{_BEHIND_TLS[0]}:{_BEHIND_TLS[1]},PROXY"
"""The same as an argument of `-a`: client.ip is what that proxy says, not its own address."""
_VALIDATE = "varnishd -C -f /etc/varnish/default.vcl"
_SIGNS = (
    sent("x-varnish", side=Side.BOTH),
    via(rf"varnish(?: \(Varnish{VERSION}\))?"),
    body(r"Guru Meditation"),
    default_page(r"Welcome to Varnish"),
)


# --- its lines for each need


def _identity(site: Site) -> tuple[Part, ...]:
    names = (*site.identity_headers, "Forwarded", "X-Forwarded-Port", "X-Real-IP")
    lines = "\n".join(f"unset req.http.{name};" for name in names)
    return (Part("recv", lines, "Clients must not choose their own identity or address."),)


def _scheme(site: Site) -> tuple[Part, ...]:
    if not site.is_https:
        line = 'set req.http.X-Forwarded-Proto = "http";'
        return (Part("recv", line, "What the client claims is overwritten."),)
    line = 'set req.http.X-Forwarded-Proto = "https";'
    why = "All requests come through the proxy that terminates TLS, and hitch sends no scheme."
    scheme = Part("recv", line, why)
    if not site.is_whole:  # an existing varnishd may not speak the PROXY protocol
        return (scheme,)
    hitch = (
        f'frontend = "[*]:<<port>>"\nbackend = "[{_BEHIND_TLS[0]}]:{_BEHIND_TLS[1]}"\n'
        "write-proxy-v2 = on"
    )
    return (scheme, Part("hitch", hitch, "Varnish learns the client's address from hitch."))


def _route(site: Site) -> tuple[Part, ...]:
    parts = [_backends(site)]
    if not site.keep_prefix:
        line = 'set req.url = regsub(req.url, "^<<base_re>>/", "/");'
        parts.append(Part("recv_end", line, "The path is stripped."))
    return tuple(parts)


def _backends(site: Site) -> Part:
    def backend(number: int, place: str) -> str:
        if site.socket:
            return f'backend app{number} {{\n    .path = "{site.socket}";\n}}'
        host, _, port = place.rpartition(":")
        return (
            f'backend app{number} {{\n    .host = "{host.strip("[]")}";\n    .port = "{port}";\n}}'
        )

    backends = "\n".join(backend(number, place) for number, place in enumerate(site.servers, 1))
    return Part("top", backends, "Where the app listens.")


def _affinity(site: Site) -> tuple[Part, ...]:
    members = "".join(
        f"    streamlit.add_backend(app{number}, 1.0);\n"
        for number in range(1, len(site.servers) + 1)
    )
    return (
        _backends(site),
        Part("top", "import directors;", "What is used."),
        Part(
            "top",
            f"sub vcl_init {{\n    new streamlit = directors.hash();\n{members}}}",
            "The group of replicas.",
        ),
        Part(
            "recv_end",
            "set req.backend_hint = streamlit.backend(req.http.X-Forwarded-For);",
            "Streamlit keeps sessions and uploads in one process; the client's address chooses it.",
        ),
    )


def _self_check(site: Site) -> tuple[Part, ...]:
    names = "|".join(DIAGNOSTICS)
    # The only backend gets every path, and the app may serve one without the public path too.
    base = "(<<base_re>>)?" if site.base_path.value else ""
    path = (
        f'(req.url ~ "^{base}/+(_stlaunch(/+(({names})/*)?)?|'
        '_stcore/+metrics/*)(\\?.*)?$" ||\n'
        f'    req.url ~ "(?i)^[^?]*{ENCODED_LETTERS}")'
    )
    why = (
        "Diagnostic pages and metrics are not for everybody, whatever letters of the path are "
        "encoded, which no browser does."
    )

    def entry(network: str) -> str:
        address, _, length = network.partition("/")
        return f'    "{address}"{"/" + length if length else ""};\n'

    allowed = "".join(entry(network) for network in site.self_check_from)
    if not allowed:
        return (Part("recv", f"if ({path}) {{\n    return (synth(403));\n}}", why),)
    return (
        Part("top", f"acl insiders {{\n{allowed}}}", why),
        Part("recv", f"if ({path} && client.ip !~ insiders) {{\n    return (synth(403));\n}}", why),
    )


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    return "\n".join(f'set beresp.http.{name} = "{value}";' for name, value in headers)


_LINES: Lines = {
    **header_lines("response", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "recv",
            (
                'if (req.url ~ "^<<base_re>>(\\?.*)?$") {\n'
                '    return (synth(752, regsub(req.url, "^<<base_re>>", "<<base_slash>>")));\n'
                "}"
            ),
            "The address without its final slash leads to the app.",
        ),
        Part(
            "top",
            (
                "sub vcl_synth {\n"
                "    if (resp.status == 752) {\n"
                "        set resp.http.Location = resp.reason;\n"
                "        set resp.status = 308;\n"
                "        return (deliver);\n"
                "    }\n"
                "}"
            ),
            "The redirect itself.",
        ),
    ),
    Need.UPGRADE: (
        Part(
            "recv_end",
            'if (req.http.Upgrade ~ "(?i)websocket") {\n    return (pipe);\n}',
            "Varnish knows no WebSocket; it must hand the connection through.",
        ),
        Part(
            "top",
            (
                "sub vcl_pipe {\n"
                "    if (req.http.Upgrade) {\n"
                "        set bereq.http.Upgrade = req.http.Upgrade;\n"
                "        set bereq.http.Connection = req.http.Connection;\n"
                "    }\n"
                "    return (pipe);\n"
                "}"
            ),
            "Varnish drops the hop-by-hop headers of a handshake by default.",
        ),
    ),
    Need.HOST: (
        Part(
            "recv",
            (
                "set req.http.X-Forwarded-Host = req.http.Host;\n"
                'set req.http.X-Forwarded-Prefix = "<<base_or_root>>";'
            ),
            "Host is forwarded unchanged; what the client claims is overwritten.",
        ),
    ),
    Need.ORIGIN: (
        Part(
            "recv",
            "set req.http.Origin = req.http.Origin;",
            "Origin stays as the browser sent it; Streamlit compares it with Host.",
        ),
    ),
    Need.SCHEME: _scheme,
    Need.IDENTITY: _identity,
    Need.HEADER_SIZE: (
        Part(
            "start",
            "-p http_req_hdr_len=16k -p http_resp_hdr_len=16k",
            "A login can have 12 KB of cookies; Varnish takes 8 KB, and answers 400.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "start",
            "-p pipe_timeout=<<idle_s>>",
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "response",
            "set beresp.do_stream = true;",
            "Responses go on as they come.",
        ),
    ),
    Need.COMPRESSION: (
        Part(
            "response",
            (
                'if (bereq.url ~ "^<<target_re>>static/" && beresp.http.Content-Type ~ '
                '"(css|javascript|json|wasm|svg)") {\n'
                "    set beresp.do_gzip = true;\n"
                "}"
            ),
            "A first visit loads 1 MB instead of 3.",
        ),
    ),
    Need.CACHING: (
        Part(
            "recv_end",
            (
                'if (req.method == "GET" && '
                'req.url ~ "^<<target_re>>static/(js|css|media)/") {\n'
                "    unset req.http.Cookie;\n"
                "    return (hash);\n"
                "}\n"
                "return (pass);"
            ),
            "Hashed assets are the same for everybody; all else belongs to one browser.",
        ),
    ),
    Need.AFFINITY: _affinity,
    Need.SELF_CHECK: _self_check,
}


# --- its complete configuration


def _with_listener(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    return parts, {"address": _PROXIED if site.is_https else f":{site.port}"}


_TEMPLATE = """\
#: Start: varnishd -a <<address>> -f default.vcl -p pipe_timeout=<<idle_s>>
vcl 4.1;

#[ outside of any block
@top

#: What becomes of a request.
sub vcl_recv {
    @recv
    @recv_end
}

#: What becomes of a response.
sub vcl_backend_response {
    @response
}
#]
"""

_KINDS = (
    Kind(
        name="varnish",
        title="Varnish",
        product=Product.VARNISH,
        template=_TEMPLATE,
        shape=_with_listener,
        put_into="/etc/varnish/default.vcl",
        needs=(
            Need.HOST,
            Need.SCHEME,
            Need.IDENTITY,
            Need.SELF_CHECK,
            Need.SLASH,
            Need.ROUTE,
            Need.AFFINITY,
            Need.UPGRADE,
            Need.CACHING,
            Need.BUFFERING,
            Need.COMPRESSION,
        ),
        ends_tls=False,
        notes=(
            (
                "Varnish speaks no TLS: for https put hitch in front of it, with write-proxy-v2 = "
                f"on, and start varnishd with -a {_PROXIED}; or another proxy that speaks the "
                "PROXY protocol. Without it every client has that proxy's address, for which the "
                "diagnostic pages are open."
            ),
            "Affinity goes by the client's address: browsers behind one address share.",
        ),
    ),
)


RECIPE = Recipe(
    title="Varnish",
    signs=_SIGNS,
    places={
        "top": "in VCL, outside of any block",
        "recv": "in VCL, at the beginning of `sub vcl_recv { }`",
        "recv_end": "in VCL, at the end of `sub vcl_recv { }`",
        "response": "in VCL, inside `sub vcl_backend_response { }`",
        "start": "on varnishd's command line",
        "hitch": "in hitch.conf, next to its certificate",
    },
    validate=_VALIDATE,
    reload="varnishreload",
    parts=_LINES,
    kinds=_KINDS,
    by_words=frozenset({"STL120", "STL122", "STL123", "STL201", "STL202", "STL403", "STL702"}),
    for_stlaunch=frozenset({Need.HOST}),
)
