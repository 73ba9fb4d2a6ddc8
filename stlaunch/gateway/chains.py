"""Build one chain of layers for each kind of request, from a table of rows.

A layer is built anew for each chain it is in, so a request meets only the layers of its own kind,
and finds its chain with one look-up. The copies of a layer share state in `GatewayState`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TypeAlias

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.gateway.composition import Composition
from stlaunch.gateway.request import request_info
from stlaunch.gateway.state import GatewayState
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.streamlit_routes import RequestKind

Key: TypeAlias = tuple[str, RequestKind | None]
"""A scope's type and kind: `("http", RequestKind.PAGE)`."""
Kinds: TypeAlias = frozenset[RequestKind]

_TYPES = ("http", "websocket")
_NO_TUNNEL = PlainTextResponse("Method Not Allowed", 405, {"cache-control": "no-store"})
LIFESPAN: Key = ("lifespan", None)
NONE: Kinds = frozenset()
ALL: Kinds = frozenset(RequestKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The requests that a layer or endpoint handles, and the reason for its place in the table.

    Attributes:
        name: its name in the table.
        http: the kinds of HTTP requests that pass it.
        websocket: the kinds of WebSockets that pass it.
        has_lifespan: whether it takes part in the app's start and stop.
        when: whether it exists under the given options.
        reason: why it is where it is in the table.
    """

    name: str
    http: Kinds = NONE
    websocket: Kinds = NONE
    has_lifespan: bool = False
    when: Callable[[Composition], bool] = lambda _composition: True
    reason: str

    @property
    def keys(self) -> Iterator[Key]:
        """The chains that it is in."""
        yield from (("http", kind) for kind in RequestKind if kind in self.http)
        yield from (("websocket", kind) for kind in RequestKind if kind in self.websocket)
        if self.has_lifespan:
            yield LIFESPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer(Row):
    """A layer, which passes requests on.

    Attributes:
        make: builds it in front of the rest of a chain.
    """

    make: Callable[[ASGIApp, Composition, GatewayState], ASGIApp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Row):
    """An endpoint, which answers: requests of its kinds reach no row below it.

    Attributes:
        make: builds it; it may send requests of another kind into the chains below it.
    """

    make: Callable[[Mapping[Key, ASGIApp], Composition, GatewayState], ASGIApp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Row):
    """A layer that answers some requests itself, and passes the others on.

    Attributes:
        make: builds it in front of the rest of a chain; it may send requests of another kind into
            the chains below it.
    """

    make: Callable[[ASGIApp, Mapping[Key, ASGIApp], Composition, GatewayState], ASGIApp]


def kinds(*listed: RequestKind) -> Kinds:
    """Return a set of kinds."""
    return frozenset(listed)


def build_chains(
    app: ASGIApp,
    rows: Sequence[Layer | Branch | Endpoint],
    composition: Composition,
    state: GatewayState,
) -> dict[Key, ASGIApp]:
    """Return the chain of each kind of request, down to the app.

    Args:
        app: answers whatever no endpoint answers.
        rows: the outermost first.
        composition: the facts that the rows are built from.
        state: what the rows share.
    """
    chains: dict[Key, ASGIApp] = {(name, kind): app for name in _TYPES for kind in RequestKind}
    chains[LIFESPAN] = app
    for row in reversed(rows):
        if not row.when(composition):
            continue
        match row:
            case Layer():
                chains |= {key: row.make(chains[key], composition, state) for key in row.keys}
            case Branch():
                below = dict(chains)
                chains |= {
                    key: row.make(chains[key], below, composition, state) for key in row.keys
                }
            case Endpoint():
                late = LateEndpoint(partial(row.make, dict(chains), composition, state))
                chains |= dict.fromkeys(row.keys, late)
    return chains


class LateEndpoint:
    """Build an endpoint on its first request: most processes never need most of them.

    Large ones are also imported only then (see `make.py`), so the start does not wait for them.
    """

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self.make = cache(make)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        return self.make()(scope, receive, send)


class Dispatch:
    """Send each request into the chain of its kind."""

    def __init__(self, chains: Mapping[Key, ASGIApp]) -> None:
        self.chains = chains

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope.get("method") == "CONNECT":
            # h11 takes a 2xx as the start of a tunnel, and fails at the answer's body; no layer and
            # no app handles the method.
            return _NO_TUNNEL(scope, receive, send)
        key = (scope["type"], request_info(scope).kind) if scope["type"] in _TYPES else LIFESPAN
        return self.chains[key](scope, receive, send)


def render_table(rows: Sequence[Row]) -> str:
    """Return the table as text: each row, and the requests that pass it."""
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{row.name:<{width}}  {_shown(row)}" for row in rows)


def _shown(row: Row) -> str:
    parts = []
    for name, kinds in (("http", row.http), ("websocket", row.websocket)):
        if kinds:
            listed = ", ".join(str(kind) for kind in RequestKind if kind in kinds)
            parts.append(f"{name}: {'all' if kinds == ALL else listed}")
    if row.has_lifespan:
        parts.append("lifespan")
    return "; ".join(parts)
