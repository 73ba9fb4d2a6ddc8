"""Know below which paths of Kubernetes' routes everything leads to the app. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from stlaunch.lint.yaml.nodes import Node, get, items, text

_MAX_CHARS = 500
_MAX_HOSTS = 100
LeadsToApp = Callable[[str, Node | None], bool]
"""Whether a Service's port is the app."""
WidePaths = dict[str, set[str]]
"""Paths without their final slash, each with its hosts; an empty one is any host."""


def backend_of(node: Node | None) -> tuple[str, Node | None]:
    """Return the Service and the port of an Ingress's backend; the name is empty without one."""
    service = get(node, "service")
    if service is None:
        # The old form, before networking.k8s.io/v1.
        return text(get(node, "serviceName")), get(node, "servicePort")
    port = get(service, "port", "number") or get(service, "port", "name")
    return text(get(service, "name")), port


def literal_of(path: str) -> str:
    r"""Return what a path begins with, up to its expression and without its final slash.

    >>> literal_of("/app(/|$)(.*)"), literal_of("/")
    ('/app', '')
    """
    return re.split(r"[(\[*?.|^$\\]", path, maxsplit=1)[0].rstrip("/")


def exact_paths(rule: Node) -> list[Node]:
    """Return the paths of an HTTPRoute's rule; none if it takes anything below one."""
    found = []
    for match in items(get(rule, "matches")):
        value = get(match, "path", "value")
        if value is None or text(get(match, "path", "type")) != "Exact":
            return []
        found.append(value)
    return found


def exact_paths_of_rule(rule: str) -> list[str]:
    """Return the paths of Traefik's rule; none if it may take anything below one.

    >>> exact_paths_of_rule("Host(`a`) && Path(`/app`)"), exact_paths_of_rule("PathPrefix(`/a`)")
    (['/app'], [])
    """
    if re.search(r"PathPrefix|PathRegexp|\|\||[!{]", rule):
        return []
    found = re.findall(r"\bPath\(([^()]*)\)", rule)
    return [path for one in found for path in re.findall(r"[`\"']([^`\"']*)[`\"']", one)]


def hosts_of(node: Node) -> set[str]:
    """Return the hosts of an HTTPRoute; very many of them count as any."""
    named = items(get(node, "spec", "hostnames"))
    return {text(one) for one in named} if 0 < len(named) <= _MAX_HOSTS else {""}


def wide_paths(objects: Iterable[Node], leads_to_app: LeadsToApp) -> WidePaths:
    """Collect the paths of all Ingresses, HTTPRoutes and IngressRoutes."""
    found: WidePaths = {}
    for one in objects:
        match text(get(one, "kind")):
            case "Ingress":
                paths = _of_ingress(one, leads_to_app)
            case "HTTPRoute":
                paths = _of_http_route(one, leads_to_app)
            case "IngressRoute":
                paths = _of_ingress_route(one, leads_to_app)
            case _:
                continue
        for path, hosts in paths:
            found.setdefault(literal_of(path), set()).update(hosts)
    return found


def is_covered(wide: WidePaths, path: str, hosts: set[str]) -> bool:
    """Return whether a wide path leads from one of the hosts to all that is around a path."""
    here = literal_of(path[:_MAX_CHARS])
    while True:
        known = wide.get(here, set())
        if "" in known or not known.isdisjoint(hosts) or (known and "" in hosts):
            return True
        if not here:
            return False
        here = here.rpartition("/")[0]


def _of_ingress(node: Node, leads_to_app: LeadsToApp) -> Iterator[tuple[str, set[str]]]:
    name, port = backend_of(get(node, "spec", "defaultBackend"))
    if name and leads_to_app(name, port):
        yield "/", {""}
    for rule in items(get(node, "spec", "rules")):
        for path in items(get(rule, "http", "paths")):
            name, port = backend_of(get(path, "backend"))
            is_exact = text(get(path, "pathType")) == "Exact"
            if name and not is_exact and leads_to_app(name, port):
                yield text(get(path, "path")) or "/", {text(get(rule, "host"))}


def _of_http_route(node: Node, leads_to_app: LeadsToApp) -> Iterator[tuple[str, set[str]]]:
    hosts = hosts_of(node)
    for rule in items(get(node, "spec", "rules")):
        backends = items(get(rule, "backendRefs"))
        if not any(leads_to_app(text(get(one, "name")), get(one, "port")) for one in backends):
            continue
        matches = items(get(rule, "matches"))
        if not matches:
            yield "/", hosts
        for match in matches:
            if text(get(match, "path", "type")) != "Exact":
                yield text(get(match, "path", "value")) or "/", hosts


def _of_ingress_route(node: Node, leads_to_app: LeadsToApp) -> Iterator[tuple[str, set[str]]]:
    for route in items(get(node, "spec", "routes")):
        services = items(get(route, "services"))
        is_wide = not exact_paths_of_rule(text(get(route, "match")))
        if is_wide and any(
            leads_to_app(text(get(one, "name")), get(one, "port")) for one in services
        ):
            yield "/", {""}  # What its expression says of paths and hosts is not evaluated.
