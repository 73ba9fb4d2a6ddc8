"""Traefik 3: its signs, and where its lines go; it passes the WebSocket on by default."""

from __future__ import annotations

from stlaunch.proxies.model import Recipe
from stlaunch.proxies.signs import body, sent
from stlaunch.proxies.traefik.configurations import KINDS
from stlaunch.proxies.traefik.lines import LINES
from stlaunch.proxies.traefik.start import START

# It names itself nowhere; its own errors are those of Go's net/http, without a Server header.
_NO_SERVER = frozenset({"server", "via"})
_SIGNS = (
    sent("x-forwarded-server", "x-forwarded-port", "x-real-ip"),
    body(
        r"^\s*404 page not found\s*$",
        status=404,
        present=frozenset({"x-content-type-options"}),
        absent=_NO_SERVER,
    ),
    body(r"^\s*Bad Gateway\s*$", status=502, absent=_NO_SERVER),
    body(r"^\s*(no available server|Service Unavailable)\s*$", status=503, absent=_NO_SERVER),
    body(r"^\s*Gateway Timeout\s*$", status=504, absent=_NO_SERVER),
)

RECIPE = Recipe(
    title="Traefik",
    signs=_SIGNS,
    places={
        "middlewares": "in Traefik's dynamic configuration, in `http.middlewares`, named in the "
        "router's `middlewares` too",
        "service": "in Traefik's dynamic configuration, in the service's `loadBalancer`",
        "static": "on Traefik's command line, with the name of your entry point",
    },
    reload="",
    parts=LINES,
    kinds=KINDS,
    least="rule: PathPrefix(`<<base_or_root>>`)",
    start=START,
    by_words=frozenset({"STL201", "STL202", "STL807"}),
)
