"""Find the handlers in Caddy's JSON, each with the matchers around it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from stlaunch.quick_dataclass import dataclass

_PLAIN = {"path", "host"}
"""The matchers that are evaluated here."""
_UNDECIDED = frozenset("*?[{%\\")
"""What has a meaning inside a pattern, beyond a star at its ends."""
_NONE: frozenset[str] = frozenset()
_OF_ERRORS = {"errors": frozenset({"handle_errors"})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One handler, with the matchers around it.

    Attributes:
        paths: the patterns of each matcher, from the outside in.
        excluded: the patterns of the paths that do not get here.
        conditions: the matchers that may refuse a request for other reasons than its path.
        is_for_put: a matcher selects it by method, and accepts PUT.
        server: which of Caddy's servers; each has ports of its own.
    """

    handler: dict[str, Any] = field(default_factory=dict)
    paths: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    conditions: frozenset[str] = frozenset()
    is_for_put: bool = False
    server: str = ""

    def takes(self, path: str) -> bool:
        """Return whether a path gets here, as far as the path decides."""
        return all(
            any(_matches(pattern, path) is not False for pattern in group) for group in self.paths
        ) and not any(_matches(pattern, path) for pattern in self.excluded)

    def shares_site(self, other: Route) -> bool:
        """Return whether this is for the other's host and port as well."""
        return self.server == other.server and self.hosts in {(), other.hosts}

    def surely_takes(self, path: str, other: Route) -> bool:
        """Return whether a path gets here whenever the other's requests are concerned."""
        return self.takes(path) and self.conditions <= other.conditions

    def is_around(self, other: Route) -> bool:
        """Return whether all of the other's requests come by here, but for what is excluded."""
        is_outside = self.paths == other.paths[: len(self.paths)]
        return is_outside and self.conditions <= other.conditions

    @property
    def prefix(self) -> str:
        """What the innermost matcher's paths begin with."""
        for group in reversed(self.paths):
            if group:
                return group[0].rstrip("*").rstrip("/")
        return ""


def routes_of(config: Mapping[str, Any]) -> list[Route]:
    """Return all handlers of all servers, in Caddy's order."""
    servers = ((config.get("apps") or {}).get("http") or {}).get("servers") or {}
    return [
        route
        for name, server in servers.items()
        for key, value in server.items()
        for route in _routes(value, Route(server=str(name), conditions=_OF_ERRORS.get(key, _NONE)))
    ]


def _routes(node: Any, around: Route) -> Iterator[Route]:
    if isinstance(node, list):
        for one in node:
            yield from _routes(one, around)
        return
    if not isinstance(node, dict):
        return
    if "handler" in node:
        yield replace(around, handler=node)
    if isinstance(node.get("handle"), list):
        around = _inside(around, [one for one in node.get("match") or () if isinstance(one, dict)])
    for value in node.values():
        yield from _routes(value, around)


def _inside(around: Route, sets: list[dict[str, Any]]) -> Route:
    """Add sets of matchers: each is a choice, and one without paths takes them all."""
    paths, conditions = around.paths, around.conditions
    patterns = [one.get("path") or () for one in sets]
    if patterns and all(patterns):
        paths = (*paths, tuple(str(one) for group in patterns for one in group))
    excluded = _excluded(sets)
    if any(set(one) - _PLAIN - ({"not"} if excluded else set()) for one in sets):
        conditions |= {json.dumps(sets, sort_keys=True)}
    return replace(
        around,
        paths=paths,
        excluded=(*around.excluded, *excluded),
        hosts=tuple(str(host) for one in sets for host in one.get("host") or ()) or around.hosts,
        conditions=conditions,
        is_for_put=around.is_for_put or any(map(_takes_put, sets)),
    )


def _excluded(sets: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the paths that `not path` excludes; none where that alone does not decide.

    Several sets are a choice: what one of them excludes, another may take.
    """
    inverse = (sets[0].get("not") or ()) if len(sets) == 1 else ()
    if any(set(one) != {"path"} for one in inverse):
        return ()
    patterns = tuple(str(pattern) for one in inverse for pattern in one["path"])
    return () if any(_matches(pattern, "/") is None for pattern in patterns) else patterns


def _matches(pattern: str, path: str) -> bool | None:
    """Return whether a pattern takes a path; None where only Caddy knows."""
    pattern, path = pattern.lower(), path.lower()
    literal = pattern.removeprefix("*").removesuffix("*")
    if _UNDECIDED.intersection(literal):
        return None
    if pattern[:1] == "*":
        return literal in path if pattern[-1:] == "*" else path.endswith(literal)
    return path.startswith(literal) if pattern[-1:] == "*" else path == literal


def _takes_put(matchers: Mapping[str, Any]) -> bool:
    """Return whether a set of matchers definitely accepts PUT, and by method."""
    methods, inverse = matchers.get("method"), matchers.get("not") or ()
    if _excluded([dict(matchers)]):
        inverse = ()
    if methods is None and not inverse:
        return False
    if set(matchers) - {"method", "not", *_PLAIN} or "PUT" not in (methods or ("PUT",)):
        return False
    return all(set(one) == {"method"} and "PUT" not in one["method"] for one in inverse)
