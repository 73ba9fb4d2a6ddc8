"""The right configuration of each product, its places marked, and what can be left out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stlaunch.proxies.needs import Product
from stlaunch.urls.origin import HostPort
from tests.check.frames import (
    Frame,
    apache,
    caddy,
    envoy,
    h2o,
    haproxy,
    lighttpd,
    nginx,
    traefik,
    varnish,
)
from tests.check.pasting import region

UPGRADE = (
    "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n"
    'proxy_set_header Connection "upgrade";'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a configuration; a fault changes one of them.

    Attributes:
        up: the app's `host:port`, or what the balancer has instead of it.
        target: the path that is sent to the app.
        slash: the address without its final slash is answered.
        upgrade: the upgrade is passed on.
        host: Host is passed on.
        asset_path: the assets have a path of their own, where h2o's lines for them belong.
        more: more lines, for a place.
    """

    up: str = "@bare@"
    target: str = "/"
    slash: bool = True
    upgrade: bool = True
    host: bool = True
    asset_path: bool = False
    more: tuple[tuple[str, str], ...] = ()

    def at(self, place: str) -> str:
        """Return the fault's own lines for a place."""
        return "\n".join(lines for name, lines in self.more if name == place)

    def with_more(self, place: str, lines: str) -> Parts:
        """Return it with more lines."""
        return replace(self, more=(*self.more, (place, lines)))


def frame_of(product: Product, parts: Parts) -> Frame:
    """Return the product with these parts."""
    return _FRAMES[product](parts)


def _nginx(parts: Parts) -> Frame:
    location = [f"proxy_pass http://{parts.up}{parts.target};".replace("/app/;", ";")]
    location += [UPGRADE] if parts.upgrade else []
    location += ["proxy_set_header Host $http_host;"] if parts.host else []
    if "client_max_body_size" not in parts.at("location"):
        location.append("client_max_body_size 201m;")
    slash = "location = /app {\n    absolute_redirect off;\n    return 308 /app/;\n}"
    return nginx(
        region("server", *([slash] if parts.slash else []), parts.at("server"))
        + "\nlocation /app/ {\n"
        + region("location", *location, parts.at("location"))
        + "\n}",
        http=region("http", parts.at("http")),
    )


def _apache(parts: Parts) -> Frame:
    upgrade = " upgrade=websocket" if parts.upgrade else ""
    server = ['RedirectMatch 308 "^/app$" "/app/"'] if parts.slash else []
    server += ["ProxyPreserveHost On"] if parts.host else []
    up = parts.up if "://" in parts.up else f"http://{parts.up}"
    server += [f'ProxyPass "/app/" "{up}{parts.target}"{upgrade}']
    return apache(
        region("server", *server, parts.at("server"))
        + '\n<Location "/app/">\n'
        + region("location", parts.at("location"))
        + "\n</Location>"
    )


def _caddy(parts: Parts) -> Frame:
    site = ["redir /app /app/"] if parts.slash else []
    handle = "handle_path" if parts.target == "/" else "handle"
    proxy = [f"to {parts.up}"]
    proxy += [] if parts.host else ["header_up Host {upstream_hostport}"]
    proxy += [] if parts.upgrade else ["header_up -Upgrade"]
    return caddy(
        region("site", *site, parts.at("site"))
        + f"\n{handle} /app/* {{\n"
        + region("route", parts.at("route"))
        + "\nreverse_proxy {\n"
        + region("proxy", *proxy, parts.at("proxy"))
        + "\n}\n}"
    )


def _haproxy(parts: Parts) -> Frame:
    slash = "http-request redirect code 301 location /app/ if { path /app }"
    strip = r"http-request replace-path ^/app/(.*)$ /\1"
    servers = [f"server s{number} {place}" for number, place in enumerate(parts.up.split(), 1)]
    backend = [strip] if parts.target == "/" else []
    timeouts = parts.at("defaults") or "timeout tunnel 1h"
    return haproxy(
        region("frontend", *([slash] if parts.slash else []), parts.at("frontend"), margin="    "),
        region("backend", *backend, *servers, parts.at("backend"), margin="    "),
        timeouts="\n" + region("defaults", timeouts, margin="    "),
    )


_MARGIN = " " * 16


def _envoy(parts: Parts) -> Frame:
    rewrite = ', prefix_rewrite: "/"' if parts.target == "/" else ""
    host = "" if parts.host else ', host_rewrite_literal: "internal"'
    slash = '- match: { path: "/app" }\n  redirect: { path_redirect: "/app/" }'
    below = (
        f'- match: {{ prefix: "/app/" }}\n  route: {{ cluster: app, timeout: 0s{rewrite}{host} }}'
    )
    frame = envoy(
        parts.up,
        routes=region("routes", *([slash] if parts.slash else []), below),
        upgrades=parts.upgrade,
        manager="\n" + region("manager", parts.at("manager"), margin=_MARGIN),
        config=region("route_config", parts.at("route_config"), margin=_MARGIN + "  ") + "\n",
        filters="\n" + region("filters", parts.at("filters"), margin=_MARGIN + "  "),
    )
    return _changed(
        frame,
        lambda text: (
            text.replace("cluster: app", "cluster: streamlit")
            .replace("- name: app", "- name: streamlit")
            .replace("cluster_name: app", "cluster_name: streamlit")
        ),
    )


def _changed(frame: Frame, change: Callable[[str], str]) -> Frame:
    """Return the frame with its text changed once it is rendered."""
    inner = frame.render

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        name, text, arguments = inner(listen, is_tls)
        return name, change(text), arguments

    return replace(frame, render=render)


def _traefik(parts: Parts) -> Frame:
    middlewares = {
        name: line
        for name, line in {
            "slash": "{redirectRegex: {regex: '^(https?://[^/]+)/app$', replacement: '${1}/app/'}}",
            "strip": "{stripPrefix: {prefixes: [/app]}}",
        }.items()
        if (parts.slash or name != "slash") and (parts.target == "/" or name != "strip")
    }
    if parts.at("middlewares"):
        name, _, line = parts.at("middlewares").partition(": ")
        middlewares[name] = line
    host = "" if parts.host else "passHostHeader: false"
    frame = traefik(
        *parts.up.split(),
        middlewares=middlewares,
        load_balancer=host,
    )
    return _changed(frame, _with_traefik_places)


def _with_traefik_places(text: str) -> str:
    text = text.replace("        servers: [", "        #service{\n        servers: [", 1)
    text = text.rstrip("\n") + "\n        #}service\n"
    if "  middlewares:\n" not in text:
        text = text.replace("  services:\n", "  middlewares:\n  services:\n", 1)
    text = text.replace("  middlewares:\n", "  middlewares:\n    #middlewares{\n", 1)
    return text.replace("  services:\n", "    #}middlewares\n  services:\n", 1)


def _lighttpd(parts: Parts) -> Frame:
    slash = '$HTTP["url"] == "/app" {\n    url.redirect = ( "" => "/app/" )\n}'
    strip = ', "map-urlpath" => ( "/app/" => "/" )' if parts.target == "/" else ""
    upgrade = '"upgrade" => "enable"' if parts.upgrade else '"https-remap" => "disable"'
    path = [
        f'proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => {parts.up}.port ) ) )',
        f"proxy.header = ( {upgrade}{strip} )",
    ]
    return lighttpd(
        region("global", *([slash] if parts.slash else []), parts.at("global"))
        + '\n$HTTP["url"] =^ "/app/" {\n'
        + region("path", *path, parts.at("path"))
        + '\n}\n$HTTP["url"] =^ "/app/static/" {\n'
        + region("static")
        + "\n}"
    )


def _h2o(parts: Parts) -> Frame:
    slash = '"/app":\n  redirect: {status: 301, internal: NO, url: "/app/"}'
    top = ["proxy.preserve-host: ON"] if parts.host else []
    top += ["proxy.websocket: ON"] if parts.upgrade else []
    to_assets = f'proxy.reverse.url: "http://{parts.up}{parts.target}static/"'
    assets = '\n      "/app/static/":\n' + region("static", to_assets, margin=" " * 8)
    frame = h2o(
        region("paths", *([slash] if parts.slash else []), margin=" " * 6)
        + '\n      "/app/":\n'
        + region("first", margin=" " * 8)
        + "\n"
        + region(
            "path",
            f'proxy.reverse.url: "http://{parts.up}{parts.target}"',
            parts.at("path"),
            margin=" " * 8,
        )
        + (assets if parts.asset_path else "")
    )
    return _changed(frame, lambda text: f"{region('global', *top, parts.at('global'))}\n{text}")


def _varnish(parts: Parts) -> Frame:
    slash = 'if (req.url == "/app") {\n    return (synth(750));\n}'
    synth = (
        "sub vcl_synth {\n    if (resp.status == 750) {\n        set resp.status = 301;\n"
        '        set resp.http.Location = "/app/";\n        return (deliver);\n    }\n}'
    )
    pipe = (
        "sub vcl_pipe {\n    if (req.http.upgrade) {\n"
        "        set bereq.http.upgrade = req.http.upgrade;\n"
        "        set bereq.http.connection = req.http.connection;\n    }\n}"
    )
    strip = 'set req.url = regsub(req.url, "^/app/", "/");'
    recv = [slash] if parts.slash else ['if (req.url == "/app") {\n    return (synth(404));\n}']
    recv += [strip] if parts.target == "/" else []
    end = [_TO_PIPE] if parts.upgrade else []
    return varnish(
        parts.up,
        region("top", *([synth] if parts.slash else []), *([pipe] if parts.upgrade else []))
        + "\nsub vcl_recv {\n"
        + region("recv", *recv, parts.at("recv"))
        + "\n"
        + region("recv_end", *end)
        + "\n}\nsub vcl_backend_response {\n"
        + region("response", parts.at("response"))
        + "\n}",
    )


_TO_PIPE = 'if (req.http.upgrade ~ "(?i)websocket") {\n    return (pipe);\n}'

_FRAMES = {
    Product.NGINX: _nginx,
    Product.APACHE: _apache,
    Product.CADDY: _caddy,
    Product.HAPROXY: _haproxy,
    Product.ENVOY: _envoy,
    Product.TRAEFIK: _traefik,
    Product.LIGHTTPD: _lighttpd,
    Product.H2O: _h2o,
    Product.VARNISH: _varnish,
}
