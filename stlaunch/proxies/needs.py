"""What a proxy can lack, the known products, and constants that all of them share."""

from __future__ import annotations

from enum import StrEnum


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
    """Something that Streamlit needs from whatever is in front of it."""

    ROUTE = "route"
    """Send everything below the base path to the app."""
    SLASH = "slash"
    """Answer the base path without its final slash."""
    UPGRADE = "upgrade"
    """Pass the WebSocket upgrade on."""
    SUBPROTOCOL = "subprotocol"
    """Pass Sec-WebSocket-Protocol on, both ways."""
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
    HEADER_SIZE = "header-size"
    """Let the cookies of a large login through, both ways."""
    IDLE_TIMEOUT = "idle-timeout"
    """Keep a quiet WebSocket open."""
    BUFFERING = "buffering"
    """Pass responses and uploads on as they arrive."""
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
    """Open `_stlaunch/` only to those it is meant for."""
    METRICS = "metrics"
    """Keep Streamlit's and stlaunch's metrics inside."""
    REQUEST_RATE = "request-rate"
    """Let one load of the page through, which is many requests at once."""
    ORIGIN = "origin"
    """Forward Origin as the browser sent it."""
    CONTENT_POLICY = "content-policy"
    """Send a Content-Security-Policy with which the page works."""
    FRAME_OPTIONS = "frame-options"
    """Let the app's own page show frames of itself, which custom components are."""
    SECURITY_HEADERS = "security-headers"
    """Send all the headers that make browsers stricter: what `--security-headers` asks for."""


IDENTITY_HEADERS = (
    "Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
)
"""What the usual authenticating proxies send to the app; a client that sends them is lying."""

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
"""The cookie by which a proxy recognises a returning browser."""
