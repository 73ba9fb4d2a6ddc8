"""What a proxy can lack, which proxies are known, and what a remedy is: facts alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stlaunch.base_path import BasePath


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the lines are filled in with; every value is plain enough to stand in any of them.

    Attributes:
        base_path: the public path.
        upstream: `host:port` of the app.
        max_upload_mb: `server.maxUploadSize`.
        ping_interval_s: how often a quiet socket is used.
    """

    base_path: BasePath
    upstream: str = "127.0.0.1:8501"
    max_upload_mb: int = 200
    ping_interval_s: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The lines that give one product what the app needs.

    Attributes:
        lines: paste-ready, in the product's own language.
        where: the place for them: `inside location /app/ {}`.
        reload: the command that puts them in force; empty where none is needed.
        why: one sentence.
    """

    lines: str
    where: str
    reload: str
    why: str

    @property
    def text(self) -> str:
        """Where, what and how to reload, for a log line or a report."""
        indented = "\n".join(f"    {line}" for line in self.lines.splitlines())
        then = f"\nthen: {self.reload}" if self.reload else ""
        return f"{self.where}:\n{indented}{then}"
