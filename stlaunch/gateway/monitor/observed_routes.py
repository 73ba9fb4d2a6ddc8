"""How pages reached the app (address, path, proxies): shown, never acted on.

Nothing here widens trust: a value counts for its own request alone, wherever that is decided. A
page that runs asks for the page script, so health probes and scanners add nothing.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from stlaunch.gateway.monitor.line_budget import LineBudget
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo
from stlaunch.proxies.recognition import names_in_request
from stlaunch.urls.origin import DEFAULT_PORTS, HostPort
from stlaunch.urls.public_paths import PrefixMode

logger = logging.getLogger(__name__)

_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRoute:
    """How one page reached the app."""

    host: str | None
    """The host in the browser's address bar, with its port where it is not the usual one."""
    scheme: str | None
    """None where nobody trusted says it."""
    base_path: str | None
    mode: PrefixMode | None
    proxies: tuple[str, ...]
    hops: int
    is_peer_trusted: bool

    @property
    def public_origin(self) -> str | None:
        """`https://app.example.com`; None where scheme or host is not known."""
        return f"{self.scheme}://{self.host}" if self.scheme and self.host else None

    def __str__(self) -> str:
        place = f"{self.public_origin or self.host or 'an unknown address'}{self.base_path or ''}/"
        through = f" through {', '.join(self.proxies)}" if self.proxies else ""
        hops = f", {self.hops} trusted prox{'y' if self.hops == 1 else 'ies'}" if self.hops else ""
        path = f", path {self.mode}" if self.mode and self.base_path else ""
        return f"{place}{through}{path}{hops}"


@dataclass(slots=True)
class ObservedRoutes:
    """The few routes that most pages came by, with how many came by each."""

    _budget: LineBudget = field(default_factory=lambda: LineBudget(in_all=20, per_client=_MAX))
    _routes: dict[ObservedRoute, int] = field(default_factory=dict)

    def note(self, request: RequestInfo) -> None:
        """Take one request of a page into account; a new route is logged, once."""
        route = observed_route(request)
        if route in self._routes:
            self._routes[route] += 1
            return
        if len(self._routes) >= _MAX:  # the rarest one gives way: one that is used stays
            del self._routes[min(self._routes, key=lambda known: self._routes[known])]
        self._routes[route] = 1
        client = client_key(request.client or request.peer)
        if self._budget.takes_line(client, time.monotonic()):
            logger.info("Reached at %s.", route)

    def as_list(self, asking: RequestInfo) -> list[dict[str, Any]]:
        """Return it for the self-check's report, the usual one first.

        Addresses are those of the client that asks; of others it shows only how they arrived.
        """
        own = observed_route(asking)
        usual_first = sorted(self._routes.items(), key=lambda item: -item[1])
        return [
            {
                "public_origin": route.public_origin if route.host == own.host else None,
                "base_path": route.base_path if route.base_path == own.base_path else None,
                "mode": route.mode,
                "proxies": list(route.proxies),
                "hops": route.hops,
                "peer_is_trusted": route.is_peer_trusted,
                "requests": count,
            }
            for route, count in usual_first
        ]


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
