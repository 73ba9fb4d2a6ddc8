"""What a proxy can lack, which proxies are known, and what a fix is: facts alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from textwrap import indent

from stlaunch.urls.base_path import BasePath


class Product(StrEnum):
    """A reverse proxy, load balancer or platform that can be recognised and configured."""

    NGINX = "nginx"
    APACHE = "apache"
    CADDY = "caddy"
    TRAEFIK = "traefik"
    HAPROXY = "haproxy"
    ENVOY = "envoy"
    LIGHTTPD = "lighttpd"
    H2O = "h2o"
    VARNISH = "varnish"
    GATEWAY_API = "gateway-api"
    INGRESS_NGINX = "ingress-nginx"
    OPENSHIFT = "openshift"
    AWS_ALB = "aws-alb"
    AZURE_GATEWAY = "azure-gateway"
    CLOUDFLARE = "cloudflare"
    IIS = "iis"


class Need(StrEnum):
    """Something that Streamlit needs from whatever stands in front of it."""

    ROUTE = "route"
    """Send everything below the base path to the app."""
    SLASH = "slash"
    """Answer the base path without its final slash."""
    UPGRADE = "upgrade"
    """Hand the WebSocket upgrade on."""
    SUBPROTOCOL = "subprotocol"
    """Hand Sec-WebSocket-Protocol on, both ways."""
    HOST = "host"
    """Tell the app the public host name and port."""
    SCHEME = "scheme"
    """Tell the app whether the browser speaks https."""
    CLIENT = "client"
    """Tell the app the client's address, which the client cannot forge."""
    IDENTITY = "identity"
    """Remove identity headers that a client sends."""
    BODY_SIZE = "body-size"
    """Let uploads through."""
    IDLE_TIMEOUT = "idle-timeout"
    """Keep a quiet WebSocket open."""
    BUFFERING = "buffering"
    """Hand responses and uploads on as they come."""
    COOKIES = "cookies"
    """Leave Cookie and Set-Cookie alone."""
    METHODS = "methods"
    """Let PUT and DELETE through."""
    COMPRESSION = "compression"
    """Compress assets."""
    CACHING = "caching"
    """Cache hashed assets, and never the page."""
    AFFINITY = "affinity"
    """Send one browser to one replica."""
    SELF_CHECK = "self-check"
    """Open `_stlaunch/` only to whom it is for."""
    METRICS = "metrics"
    """Keep Streamlit's and stlaunch's metrics inside."""


IDENTITY_HEADERS = (
    "Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
)
"""What the usual authenticating proxies tell the app; a client that sends them lies."""

DIAGNOSTICS = ("check", "echo", "ws", "sink", "drip", "metrics")
"""The pages below `_stlaunch/` that are for whoever runs the app; the others are the app's."""

COMPRESSED_TYPES = (
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/json",
    "application/wasm",
    "image/svg+xml",
)
"""What Streamlit's assets are made of. Never text/html: the page holds a secret token, and what is
compressed next to something that an attacker chooses can be guessed from its length."""

ENCODED_LETTERS = "%(2[def]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])"
"""Matches what no browser encodes in a path; a way around a rule that compares undecoded paths."""

REPLICA_COOKIE = "stlaunch_replica"
"""The cookie by which a proxy knows a browser again."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_SHORTEST_IDLE_S = 60
_PINGS_IN_IDLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the lines are filled in with; every value is plain enough to stand in any of them.

    Attributes:
        base_path: the public path; one with special characters shows as `/YOUR-PATH`.
        upstream: `host:port` of the app.
        replicas: `host:port` of each replica; two or more ask for affinity.
        host: the public host name, without a port; empty for any.
        port: where the proxy listens.
        is_https: the browser speaks https.
        certificate: the file with the certificate chain, where the proxy has one to serve.
        key: the file with its key.
        keep_prefix: the app gets the path as the browser sent it.
        max_upload_mb: `server.maxUploadSize`.
        ping_interval_s: how often a quiet socket is used.
        identity_headers: removed from what clients send.
        self_check_from: addresses and networks that may see the diagnostic pages.
        is_whole: the lines stand in a configuration of their own, not alone in an existing one.
    """

    base_path: BasePath
    upstream: str = "127.0.0.1:8501"
    replicas: tuple[str, ...] = ()
    host: str = ""
    port: int = 443
    is_https: bool = True
    certificate: str = ""
    key: str = ""
    keep_prefix: bool = True
    max_upload_mb: int = 200
    ping_interval_s: int = 30
    identity_headers: tuple[str, ...] = IDENTITY_HEADERS
    self_check_from: tuple[str, ...] = ("127.0.0.1", "::1")
    is_whole: bool = False

    @property
    def servers(self) -> tuple[str, ...]:
        """Where the app listens: the replicas, or the one upstream."""
        return self.replicas or (self.upstream,)

    @property
    def values(self) -> dict[str, str]:
        """What the `<<names>>` in the lines stand for."""
        path = self.base_path.value
        base = path if _PLAIN_PATH.fullmatch(path) else "/YOUR-PATH"
        upstream = self.servers[0]
        host, _, port = upstream.rpartition(":")
        body_mb = self.max_upload_mb + 1
        return {
            "base": base,
            "base_or_root": base or "/",
            "base_slash": f"{base}/",
            "base_re": re.escape(base),
            "base_json_re": re.escape(base).replace("\\", "\\\\"),
            "upstream": upstream,
            "upstream_host": host.strip("[]"),
            "upstream_port": port,
            "target": f"{base}/" if self.keep_prefix else "/",
            "target_re": re.escape(base) + "/" if self.keep_prefix else "/",
            "host": self.host or "example.com",
            "port": str(self.port),
            "scheme": "https" if self.is_https else "http",
            "certificate": self.certificate or "/etc/ssl/app/cert.pem",
            "key": self.key or "/etc/ssl/app/key.pem",
            "upload_mb": str(self.max_upload_mb),
            "body_mb": str(body_mb),
            "body_kb": str(body_mb * 1024),
            "body_bytes": str(body_mb * 1024 * 1024),
            "idle_s": str(max(_SHORTEST_IDLE_S, _PINGS_IN_IDLE * self.ping_interval_s)),
            "cookie": REPLICA_COOKIE,
            "secure": "; Secure" if self.is_https else "",
            "diagnostics": "|".join(DIAGNOSTICS),
            "base_rest_re": re.escape(f"{base}/".lstrip("/")),
            "base_bare_re": re.escape(base.lstrip("/")),
        }


@dataclass(frozen=True, slots=True)
class Part:
    """Lines for one place, and why they are there.

    Attributes:
        place: a key of `Recipe.places`.
        lines: with `<<names>>` of `Site.values` in them.
        why: one sentence.
    """

    place: str
    lines: str
    why: str

    def filled(self, site: Site) -> Part:
        """Put the site's values in."""
        return Part(self.place, fill(self.lines, site.values), self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that one product can be given.

    Attributes:
        places: the places where lines go, in words.
        reload: the command that puts them in force; empty where none is needed.
        parts: the lines for each need; a function where they depend on the site.
    """

    places: Mapping[str, str]
    reload: str
    parts: Mapping[Need, tuple[Part, ...] | Callable[[Site], tuple[Part, ...]]]

    def parts_for(self, need: Need, site: Site) -> tuple[Part, ...]:
        """Return the filled-in lines; empty where the product has the need covered or cannot."""
        known = self.parts.get(need, ())
        return tuple(part.filled(site) for part in (known(site) if callable(known) else known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """The lines that give one product what the app needs.

    Attributes:
        steps: each place in words, and the paste-ready lines for it.
        reload: the command that puts them in force; empty where none is needed.
        why: one sentence.
    """

    steps: tuple[tuple[str, str], ...]
    reload: str
    why: str

    @property
    def lines(self) -> str:
        """All lines, in the product's own language."""
        return "\n".join(lines for _, lines in self.steps)

    @property
    def where(self) -> str:
        """The place for them: ``in nginx, inside `location /app/ { }```."""
        return ", and ".join(where for where, _ in self.steps)

    @property
    def text(self) -> str:
        """Where, what and how to reload, for a log line or a report."""
        told = [f"{where}:\n{indent(lines, '    ')}" for where, lines in self.steps]
        return "\n".join(told + ([f"then: {self.reload}"] if self.reload else []))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in for `<<names>>`."""
    return _NAME.sub(lambda match: values[match[1]], text)


_NAME = re.compile("<<([a-z_]+)>>")
