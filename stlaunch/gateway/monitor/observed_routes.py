"""Observe how pages reached the app (address, path, proxies): shown, never acted on.

Nothing here widens trust: a value counts for its own request alone, wherever that is decided. Only
a page that runs requests the page script, so health probes and scanners add nothing.
"""

from __future__ import annotations

import logging
import time
from dataclasses import field, replace
from typing import Any
from urllib.parse import urlsplit

from stlaunch.diagnostics.handshake import header_value
from stlaunch.gateway.monitor.line_budget import LineBudget
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo
from stlaunch.proxies.recognition import names_in_request
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import DEFAULT_PORTS, HostPort, Origin
from stlaunch.urls.public_paths import PrefixMode

logger = logging.getLogger(__name__)

_MAX = 8
_MAX_REFERER = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRoute:
    """How one page reached the app."""

    host: str | None
    """The host in the browser's address bar, with its port unless it is the default one."""
    scheme: str | None
    """None if no trusted proxy sends it."""
    base_path: str | None
    mode: PrefixMode | None
    proxies: tuple[str, ...]
    hops: int
    is_peer_trusted: bool

    @property
    def public_origin(self) -> str | None:
        """`https://app.example.com`; None if scheme or host is not known."""
        return f"{self.scheme}://{self.host}" if self.scheme and self.host else None

    def __str__(self) -> str:
        place = f"{self.public_origin or self.host or 'an unknown address'}{self.base_path or ''}/"
        through = f" through {', '.join(self.proxies)}" if self.proxies else ""
        hops = f", {self.hops} trusted prox{'y' if self.hops == 1 else 'ies'}" if self.hops else ""
        path = f", path {self.mode}" if self.mode and self.base_path else ""
        return f"{place}{through}{path}{hops}"


@dataclass(slots=True)
class ObservedRoutes:
    """The few most frequent routes of pages, each with its count."""

    _budget: LineBudget = field(default_factory=lambda: LineBudget(in_all=20, per_client=_MAX))
    _routes: dict[ObservedRoute, int] = field(default_factory=dict)

    def note(self, request: RequestInfo) -> None:
        """Count one request of a page; a new route is logged once."""
        route = _as_the_browser_shows_it(observed_route(request), request)
        if route in self._routes:
            self._routes[route] += 1
            return
        if len(self._routes) >= _MAX:  # the rarest one goes: one in use stays
            del self._routes[min(self._routes, key=lambda known: self._routes[known])]
        self._routes[route] = 1
        client = client_key(request.client or request.peer)
        if self._budget.takes_line(client, time.monotonic()):
            logger.info("Reached at %s.", route)

    def as_list(self, asking: RequestInfo) -> list[dict[str, Any]]:
        """Return the routes for the self-check's report, the most frequent first.

        It shows the asking client's own addresses; of other routes only how they reached the app.
        """
        own = observed_route(asking)
        usual_first = sorted(self._routes.items(), key=lambda item: -item[1])
        return [
            {
                "public_origin": route.public_origin if _name(route) == _name(own) else None,
                "base_path": route.base_path if route.base_path == own.base_path else None,
                "mode": route.mode,
                "proxies": list(route.proxies),
                "hops": route.hops,
                "peer_is_trusted": route.is_peer_trusted,
                "requests": count,
            }
            for route, count in usual_first
        ]


def _name(route: ObservedRoute) -> str | None:
    """Return the host without its port, which `Host $host` leaves out."""
    host = HostPort.parse(route.host) if route.host else None
    return host.host if host else None


def _as_the_browser_shows_it(route: ObservedRoute, request: RequestInfo) -> ObservedRoute:
    """Fill in what the proxy does not send: scheme, port, and the path that it strips.

    The Referer of a page's script is the page's own address. If it names another host it is
    ignored: anybody can send one.
    """
    try:
        page = urlsplit((header_value(request.headers, b"referer") or "")[:_MAX_REFERER])
        origin = Origin.parse(f"{page.scheme}://{page.netloc}")
    except ValueError:
        return route
    if origin is None or request.host is None or origin.host != request.host.host:
        return route
    is_usual = origin.port == DEFAULT_PORTS.get(origin.scheme)
    folder = BasePath.parse_forwarded(page.path.rpartition("/")[0] or "/")
    return replace(
        route,
        host=str(HostPort(origin.host, None if is_usual else origin.port)),
        scheme=origin.scheme,
        base_path=route.base_path or (folder.value if folder else route.base_path),
    )


def observed_route(request: RequestInfo) -> ObservedRoute:
    """Return how one request reached the app."""
    is_trusted = request.forwarded.is_peer_trusted
    host = request.host
    if host and request.scheme and host.port == DEFAULT_PORTS.get(request.scheme):
        host = HostPort(host.host)
    return ObservedRoute(
        host=str(host) if host else None,
        scheme=request.scheme,
        base_path=request.public_path.value if request.public_path is not None else None,
        mode=request.mode,
        proxies=names_in_request(request.headers) if is_trusted else (),
        hops=request.forwarded.hops,
        is_peer_trusted=is_trusted,
    )
