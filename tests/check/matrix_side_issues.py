"""The rows in which the address without its slash is wrong too, as in most that people copy.

The fault that blanks the page, or a part of it, must still come first.
"""

from __future__ import annotations

from tests.check.frames import apache, caddy, envoy, h2o, haproxy, lighttpd, nginx, traefik, varnish
from tests.check.matrix_nginx import FULL, HOST, KEEP, SIZE, STRIP, UP
from tests.check.matrix_others import VCL_PIPE
from tests.check.setups import Setup, broken, healthy

MAPPED = "http://app.example.test/app/"
"""The public port is 80; nginx listens on another one, which its own redirects name (STL206)."""

_HEADER = "{headers: {customRequestHeaders: {%s: ''}}}"
_STRIP = {"strip": "{stripPrefix: {prefixes: [/app]}}"}
_CADDY = "\thandle_path /app/* {\n\t\treverse_proxy @bare@\n\t}"
APACHE_BELOW = 'ProxyPreserveHost On\nProxyPass "/app/" "http://@bare@/" upgrade=websocket'
_HAPROXY = r"http-request replace-path ^/app/(.*)$ /\1"
_ONLY_BELOW = "http-request deny deny_status 404 unless { path_beg /app/ }"
_ENVOY = (
    '- { match: { prefix: "/app/" }, route: { cluster: app, timeout: 0s, prefix_rewrite: "/" } }'
)
_LIGHTTPD = """$HTTP["url"] =^ "/app/" {
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => @bare@.port)))
    proxy.header = ("map-urlpath" => ("/app/" => "/"), "upgrade" => "enable")
}"""
_H2O = """      "/app/":
        proxy.reverse.url: "http://@bare@/"
        proxy.preserve-host: ON
        proxy.websocket: ON"""
_VARNISH = (
    'sub vcl_recv { if (req.url !~ "^/app/") { return (synth(404)); } '
    'set req.url = regsub(req.url, "^/app/", "/"); '
    'if (req.http.upgrade ~ "(?i)websocket") { return (pipe); } }\n' + VCL_PIPE
)
_REPLICAS = "upstream apps { server @bare@; server @replica@; }"


def _mapped(name: str, expected: str, lines: str, http: str = "") -> Setup:
    return broken(
        f"{name}, and redirects name its port", expected, nginx(lines, http=http), url=MAPPED
    )


_NGINX = (
    _mapped("bare proxy_pass", "STL301", "location /app/ { proxy_pass http://@bare@/; }"),
    _mapped("no upgrade lines", "STL301", STRIP.replace(UP, "")),
    _mapped(
        "the stream is denied", "STL304", f"{STRIP} location /app/_stcore/stream {{ deny all; }}"
    ),
    _mapped(
        "subprotocol removed",
        "STL307",
        STRIP.replace("}", 'proxy_set_header Sec-WebSocket-Protocol ""; }'),
    ),
    _mapped("Host is the upstream's", "STL501", STRIP.replace(HOST, "")),
    _mapped("Set-Cookie removed", "STL505", STRIP.replace("}", "proxy_hide_header Set-Cookie; }")),
    _mapped("Cookie removed", "STL506", STRIP.replace("}", 'proxy_set_header Cookie ""; }')),
    _mapped(
        "PUT is not allowed",
        "STL512",
        STRIP.replace("}", "limit_except GET POST { deny all; } }", 1),
    ),
    _mapped("the body limit as it comes", "STL602", STRIP.replace(SIZE, "")),
    _mapped("small header buffers", "STL609", f"large_client_header_buffers 2 2k; {STRIP}"),
    _mapped(
        "two replicas in turn",
        "STL702",
        f"location /app/ {{ proxy_pass http://apps/; {FULL} }}",
        _REPLICAS,
    ),
    _mapped("the script fails", "STL313", STRIP.replace("@bare@", "@replica@")),
    _mapped(
        "assets are looked for on the disk",
        "STL208",
        f"{STRIP} location /app/static/ {{ root .; }}",
    ),
    _mapped("strips, app has baseUrlPath", "STL201", STRIP.replace("@bare@", "@based@")),
    _mapped("upstream is down", "STL120", STRIP.replace("@bare@", "@dead@")),
    broken(
        "keeps, Host is the upstream's, TLS", "STL501", nginx(KEEP.replace(HOST, "")), tls="good"
    ),
    broken("keeps, no upgrade lines, TLS", "STL301", nginx(KEEP.replace(UP, "")), tls="good"),
    broken("the body limit as it comes, TLS", "STL602", nginx(STRIP.replace(SIZE, "")), tls="good"),
    broken(
        "PUT is not allowed, TLS",
        "STL512",
        nginx(STRIP.replace("}", "limit_except GET POST { deny all; } }", 1)),
        tls="good",
    ),
)

_TRAEFIK = (
    broken(
        "no slash, passHostHeader: false",
        "STL501",
        traefik("@bare@", middlewares=_STRIP, load_balancer="passHostHeader: false"),
    ),
    broken(
        "no slash, Cookie removed",
        "STL506",
        traefik("@bare@", middlewares=_STRIP | {"bald": _HEADER % "Cookie"}),
    ),
    broken(
        "no slash, subprotocol removed",
        "STL307",
        traefik("@bare@", middlewares=_STRIP | {"bald": _HEADER % "Sec-WebSocket-Protocol"}),
    ),
    broken(
        "no slash, two replicas in turn",
        "STL702",
        traefik("@bare@", "@replica@", middlewares=_STRIP),
    ),
    broken("no slash, the script fails", "STL313", traefik("@replica@", middlewares=_STRIP)),
    broken(
        "no slash, a body limit of 1 MB",
        "STL602",
        traefik(
            "@bare@", middlewares=_STRIP | {"limit": "{buffering: {maxRequestBodyBytes: 1000000}}"}
        ),
    ),
)

_REST = (
    broken(
        "no slash, Host is the upstream's",
        "STL501",
        caddy(
            _CADDY.replace("@bare@", "@bare@ {\n\t\t\theader_up Host {upstream_hostport}\n\t\t}")
        ),
    ),
    broken(
        "no slash, Upgrade removed",
        "STL301",
        caddy(_CADDY.replace("@bare@", "@bare@ {\n\t\t\theader_up -Upgrade\n\t\t}")),
    ),
    broken(
        "no slash, Set-Cookie removed",
        "STL505",
        caddy(_CADDY.replace("@bare@", "@bare@ {\n\t\t\theader_down -Set-Cookie\n\t\t}")),
    ),
    broken(
        "no slash, PUT answered 405",
        "STL512",
        caddy(f"\t@put method PUT\n\troute {{\n\trespond @put 405\n{_CADDY}\n\t}}"),
    ),
    broken(
        "no slash, no upgrade=websocket",
        "STL301",
        apache(APACHE_BELOW.replace(" upgrade=websocket", "")),
    ),
    broken(
        "no slash, no ProxyPreserveHost",
        "STL501",
        apache(APACHE_BELOW.replace("ProxyPreserveHost On\n", "")),
    ),
    broken(
        "no slash, Cookie removed", "STL506", apache(f"RequestHeader unset Cookie\n{APACHE_BELOW}")
    ),
    broken(
        "no slash, Set-Cookie removed", "STL505", apache(f"Header unset Set-Cookie\n{APACHE_BELOW}")
    ),
    broken(
        "no slash, Host is the upstream's",
        "STL501",
        haproxy(
            _ONLY_BELOW, f"{_HAPROXY}\n    http-request set-header Host @bare@\n    server a @bare@"
        ),
    ),
    broken(
        "no slash, Upgrade removed",
        "STL301",
        haproxy(
            _ONLY_BELOW, f"{_HAPROXY}\n    http-request del-header Upgrade\n    server a @bare@"
        ),
    ),
    broken(
        "no slash, subprotocol removed",
        "STL307",
        haproxy(
            _ONLY_BELOW,
            f"{_HAPROXY}\n    http-request del-header Sec-WebSocket-Protocol\n    server a @bare@",
        ),
    ),
    broken(
        "no slash, PUT is not allowed",
        "STL512",
        haproxy(
            f"http-request deny if METH_PUT\n    {_ONLY_BELOW}", f"{_HAPROXY}\n    server a @bare@"
        ),
    ),
    broken(
        "no slash, two replicas in turn",
        "STL702",
        haproxy(
            _ONLY_BELOW,
            f"balance roundrobin\n    {_HAPROXY}\n    server a @bare@\n    server b @replica@",
        ),
    ),
    broken(
        "no slash, no upgrade_configs", "STL304", envoy("@bare@", routes=_ENVOY, upgrades=False)
    ),
    broken(
        "no slash, Host is rewritten",
        "STL501",
        envoy(
            "@bare@",
            routes=_ENVOY.replace("timeout: 0s", 'timeout: 0s, host_rewrite_literal: "internal"'),
        ),
    ),
    broken(
        "no slash, no upgrade", "STL301", lighttpd(_LIGHTTPD.replace(', "upgrade" => "enable"', ""))
    ),
    broken(
        "no slash, no proxy.websocket",
        "STL301",
        h2o(_H2O.replace("\n        proxy.websocket: ON", "")),
    ),
    broken(
        "no slash, no proxy.preserve-host",
        "STL501",
        h2o(_H2O.replace("        proxy.preserve-host: ON\n", "")),
    ),
    broken(
        "no slash, a pipe without the headers",
        "STL301",
        varnish("@bare@", _VARNISH.replace(VCL_PIPE, "")),
    ),
    broken(
        "no slash, Set-Cookie removed",
        "STL505",
        varnish("@bare@", f"{_VARNISH}\nsub vcl_deliver {{ unset resp.http.Set-Cookie; }}"),
    ),
)

# --- the address was typed without its slash

_TYPED = "http://app.example.test:{port}/app"
_ASKED = (
    broken(
        "asked without its slash, which has no slash",
        "STL203",
        traefik("@bare@", middlewares=_STRIP),
        url=_TYPED,
    ),
    broken(
        "asked without its slash, which leads out of the prefix",
        "STL205",
        nginx(f"{STRIP} location = /app {{ return 301 /; }}"),
        url=_TYPED,
    ),
    broken(
        "asked without its slash, no upgrade=websocket",
        "STL301",
        apache(APACHE_BELOW.replace(" upgrade=websocket", "")),
        url=_TYPED,
    ),
    healthy("asked without its slash", nginx(f"absolute_redirect off; {STRIP}"), url=_TYPED),
)

SIDE_ISSUES: tuple[Setup, ...] = (
    *_NGINX,
    *_TRAEFIK,
    *_REST,
    *_ASKED,
)
