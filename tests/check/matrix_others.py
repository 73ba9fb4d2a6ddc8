"""The rows with lighttpd, h2o, Varnish, chains of two, and without a proxy."""

from __future__ import annotations

from tests.check.frames import apache, caddy, envoy, h2o, haproxy, lighttpd, nginx, traefik, varnish
from tests.check.matrix_nginx import FULL, HOST, STRIP, UP
from tests.check.matrix_proxies import (
    APACHE_BARE,
    APACHE_STL,
    HAPROXY_FRONT,
    HAPROXY_STRIP,
    TRAEFIK_SLASH,
    TRAEFIK_STRIP,
)
from tests.check.setups import Setup, broken, healthy

# --- lighttpd

_LIGHTTPD_SLASH = '$HTTP["url"] == "/app" { url.redirect = ("" => "/app/") }\n'
_LIGHTTPD = f"""{_LIGHTTPD_SLASH}$HTTP["url"] =^ "/app/" {{
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => @bare@.port)))
    proxy.header = ("map-urlpath" => ("/app/" => "/"), "upgrade" => "enable")
}}"""
LIGHTTPD: tuple[Setup, ...] = (
    healthy("strips", lighttpd(_LIGHTTPD)),
    healthy("stlaunch, prefix stripped", lighttpd(_LIGHTTPD.replace("@bare@", "@stl@"))),
    broken("no upgrade", "STL301", lighttpd(_LIGHTTPD.replace(', "upgrade" => "enable"', ""))),
    broken(
        "no upgrade, stlaunch",
        "STL301",
        lighttpd(_LIGHTTPD.replace(', "upgrade" => "enable"', "").replace("@bare@", "@stl@")),
    ),
    broken("upstream is down", "STL120", lighttpd(_LIGHTTPD.replace("@bare@", "@dead@"))),
    broken(
        "strips, app has baseUrlPath", "STL201", lighttpd(_LIGHTTPD.replace("@bare@", "@based@"))
    ),
    broken(
        "whole responses are buffered",
        "STL605",
        lighttpd(_LIGHTTPD.replace("@bare@", "@stl@")),
        limits=2,
    ),
    broken("no proxy.server", "STL123", lighttpd("")),
    broken("/app is 404", "STL203", lighttpd(_LIGHTTPD.replace(_LIGHTTPD_SLASH, ""))),
    broken(
        "denied",
        "STL128",
        lighttpd(f'$HTTP["url"] =^ "/" {{ url.access-deny = ("") }}\n{_LIGHTTPD}'),
    ),
    broken(
        "a body limit of 1 MiB", "STL602", lighttpd(f"server.max-request-size = 1024\n{_LIGHTTPD}")
    ),
)

# --- h2o

_H2O = """      "/app/":
        proxy.reverse.url: "http://@bare@/"
        proxy.preserve-host: ON
        proxy.websocket: ON
      "/app":
        redirect: {status: 301, internal: NO, url: "/app/"}"""
H2O: tuple[Setup, ...] = (
    healthy("strips", h2o(_H2O)),
    broken("no proxy.websocket", "STL301", h2o(_H2O.replace("        proxy.websocket: ON\n", ""))),
    broken(
        "no proxy.preserve-host",
        "STL501",
        h2o(_H2O.replace("        proxy.preserve-host: ON\n", "")),
    ),
    broken("upstream is down", "STL120", h2o(_H2O.replace("@bare@", "@dead@"))),
    broken("no path", "STL123", h2o('      "/other":\n        file.dir: .')),
    broken("strips, app has baseUrlPath", "STL201", h2o(_H2O.replace("@bare@", "@based@"))),
)

# --- Varnish

_VCL_STRIP = (
    'if (req.url == "/app") { return (synth(750)); } set req.url = regsub(req.url, "^/app/", "/");'
)
_VCL_SYNTH = (
    "sub vcl_synth { if (resp.status == 750) { set resp.status = 301; "
    'set resp.http.Location = "/app/"; return (deliver); } }'
)
VCL_PIPE = (
    "sub vcl_pipe { if (req.http.upgrade) { set bereq.http.upgrade = req.http.upgrade; "
    "set bereq.http.connection = req.http.connection; } }"
)
_VCL_RECV = (
    f'sub vcl_recv {{ {_VCL_STRIP} if (req.http.upgrade ~ "(?i)websocket") {{ return (pipe); }} }}'
)
_VCL = f"{_VCL_RECV}\n{VCL_PIPE}\n{_VCL_SYNTH}"
VARNISH: tuple[Setup, ...] = (
    healthy("pipes the WebSocket", varnish("@bare@", _VCL)),
    broken(
        "no pipe",
        "STL301",
        varnish("@bare@", f"sub vcl_recv {{ {_VCL_STRIP} }}\n{_VCL_SYNTH}"),
    ),
    broken("a pipe without the headers", "STL301", varnish("@bare@", f"{_VCL_RECV}\n{_VCL_SYNTH}")),
    broken("upstream is down", "STL120", varnish("@dead@", _VCL)),
    broken(
        "Set-Cookie removed",
        "STL505",
        varnish("@bare@", f"{_VCL}\nsub vcl_deliver {{ unset resp.http.Set-Cookie; }}"),
    ),
    broken(
        "Cookie removed",
        "STL506",
        varnish("@bare@", f"sub vcl_recv {{ unset req.http.Cookie; }}\n{_VCL}"),
    ),
    broken(
        "the page is kept for an hour",
        "STL801",
        varnish(
            "@bare@",
            f'{_VCL}\nsub vcl_backend_response {{ if (bereq.url == "/") '
            '{ set beresp.http.Cache-Control = "max-age=3600"; set beresp.ttl = 1h; } }',
        ),
    ),
)  # fmt: skip

# --- chains of two

_NEXT = f"location /app {{ proxy_pass http://@next@; {FULL} }}"
_SECOND = STRIP.replace("location /app/", "absolute_redirect off; location /app/")
CHAINS: tuple[Setup, ...] = (
    healthy("nginx strips", traefik("@next@"), nginx(_SECOND)),
    healthy(
        "HAProxy strips",
        nginx(_NEXT),
        haproxy(HAPROXY_FRONT, f"{HAPROXY_STRIP}\n    server a @bare@"),
    ),
    healthy("Apache strips, stlaunch", caddy("\treverse_proxy @next@"), apache(APACHE_STL)),
    broken(
        "the second drops the upgrade",
        "STL301",
        traefik("@next@"),
        nginx(f"absolute_redirect off; location /app/ {{ proxy_pass http://@bare@/; {HOST} }}"),
    ),
    broken(
        "the first drops the upgrade",
        "STL301",
        nginx(f"location /app {{ proxy_pass http://@next@; {HOST} }}"),
        haproxy(HAPROXY_FRONT, f"{HAPROXY_STRIP}\n    server a @bare@"),
    ),
    broken(
        "the first drops the upgrade, stlaunch",
        "STL301",
        nginx("location /app { proxy_pass http://@next@; }"),
        caddy("\treverse_proxy @stl@"),
    ),
    broken(
        "the second is down",
        "STL120",
        nginx(_NEXT.replace("@next@", "@dead@")),
        caddy("\trespond x"),
    ),
    broken("the app is down", "STL120", nginx(_NEXT), haproxy(HAPROXY_FRONT, "server a @dead@")),
    broken(
        "the second rewrites Host",
        "STL501",
        caddy("\treverse_proxy @next@"),
        apache(APACHE_BARE.replace("ProxyPreserveHost On\n", "")),
    ),
    broken(
        "the first rewrites Host",
        "STL501",
        nginx(f"location /app {{ proxy_pass http://@next@; {UP} client_max_body_size 201m; }}"),
        traefik("@bare@", middlewares=TRAEFIK_SLASH | TRAEFIK_STRIP),
    ),
    broken(
        "the second limits bodies",
        "STL602",
        haproxy("", "server a @next@"),
        nginx(_SECOND.replace("client_max_body_size 201m;", "")),
    ),
    broken(
        "both strip",
        "STL201",
        nginx(f"location /app/ {{ proxy_pass http://@next@/; {FULL} }}"),
        nginx(_SECOND),
    ),
    broken(
        "the first knows no upgrade",
        "STL304",
        envoy(
            "@next@",
            routes='- { match: { prefix: "/app" }, route: { cluster: app } }',
            upgrades=False,
        ),
        nginx(_SECOND),
    ),
    broken(
        "a cache before nginx drops the upgrade",
        "STL301",
        varnish("@next@", ""),
        nginx(_SECOND),
    ),
)

# --- no proxy

NONE: tuple[Setup, ...] = (
    healthy("bare Streamlit, asked directly", url="http://app.example.test:{port}/", app="bare"),
    healthy("stlaunch, asked directly", app="stl"),
    broken("nothing listens", "STL102", app="dead"),
    broken("the wrong path", "STL202", app="bare", url="http://app.example.test:{port}/nope/"),
    broken(
        "the root of an app with baseUrlPath",
        "STL123",
        app="based",
        url="http://app.example.test:{port}/",
    ),
)

OTHERS = (*LIGHTTPD, *H2O, *VARNISH, *CHAINS, *NONE)
