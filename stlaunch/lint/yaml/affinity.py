"""Know what sends a browser to one pod, and which lines would. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from stlaunch.lint.yaml.nodes import Node, get, items, pairs, text, walk
from stlaunch.lint.yaml.paths import LeadsToApp, backend_of
from stlaunch.proxies import kubernetes_affinity
from stlaunch.proxies.needs import Product
from stlaunch.quick_dataclass import dataclass

_NGINX = ("nginx.ingress.kubernetes.io/", "nginx.org/", "nginx.com/")
_STICKY_HERE = {"Cookie", "RequestHash"}
_NAMES_SERVICE = {
    "ApisixRoute": "serviceName",
    "HTTPProxy": "name",
    "Mapping": "service",
    "VirtualService": "host",
}
"""Kinds that may be sticky by ways of their own, each with its key for a Service."""


@dataclass(frozen=True, slots=True)
class Balancer:
    """What chooses the pod for a request.

    Attributes:
        fix: its lines; empty where the product's own are right.
    """

    product: Product
    fix: str = ""


_NGINX_BALANCER = Balancer(Product.INGRESS_NGINX)
_ALB_BALANCER = Balancer(Product.AWS_ALB, kubernetes_affinity.ALB_INGRESS)
_AZURE_BALANCER = Balancer(Product.AZURE_GATEWAY, kubernetes_affinity.AZURE_INGRESS)
_TRAEFIK_BALANCER = Balancer(Product.TRAEFIK, kubernetes_affinity.TRAEFIK_SERVICE)
_INGRESS_ROUTE_BALANCER = Balancer(Product.TRAEFIK, kubernetes_affinity.TRAEFIK_ROUTE)
_CLASSES = {
    "nginx": _NGINX_BALANCER,
    "public": _NGINX_BALANCER,
    "alb": _ALB_BALANCER,
    "azure-application-gateway": _AZURE_BALANCER,
    "azure/application-gateway": _AZURE_BALANCER,
    "traefik": _TRAEFIK_BALANCER,
}


def balancer_of(objects: Sequence[Node], leads_to_app: LeadsToApp) -> Balancer | None:
    """Return what chooses the app's pod; None where the linter does not know it."""
    is_unknown = False
    configs = set(_backend_configs(objects, leads_to_app))
    for one in objects:
        kind = text(get(one, "kind"))
        is_unknown |= _may_be_sticky(one, configs, leads_to_app)
        if kind == "HTTPRoute" and _names_app(one, "backendRefs", leads_to_app):
            return Balancer(Product.GATEWAY_API)
        if kind == "IngressRoute" and _names_app(one, "services", leads_to_app):
            return _INGRESS_ROUTE_BALANCER
        if kind == "Ingress" and (name := _class_of(one)) and _is_apps(one, leads_to_app):
            if product := _product_of(name):
                return _CLASSES[product]
            is_unknown = True
    return None if is_unknown else _NGINX_BALANCER


def is_sticky_route(one: Node) -> bool:
    """Return whether an object keeps a browser on one pod."""
    match text(get(one, "kind")):
        case "Ingress":
            annotations = pairs(get(one, "metadata", "annotations"))
            return any(_is_sticky_annotation(key.value, text(value)) for key, value in annotations)
        case "HTTPRoute":
            return any(
                get(rule, "sessionPersistence") is not None
                for rule in items(get(one, "spec", "rules"))
            )
        case "IngressRoute":
            return any(
                get(service, "sticky") is not None
                for route in items(get(one, "spec", "routes"))
                for service in items(get(route, "services"))
            )
        case "HTTPProxy":
            return any(
                text(get(route, "loadBalancerPolicy", "strategy")) in _STICKY_HERE
                for route in items(get(one, "spec", "routes"))
            )
        case "BackendConfig":
            return _is_googles(get(one, "spec", "sessionAffinity", "affinityType"))
        case "GCPBackendPolicy":
            return _is_googles(get(one, "spec", "default", "sessionAffinity", "type"))
        case "Route" | "BackendLBPolicy" | "XBackendTrafficPolicy" | "DestinationRule":
            return True  # OpenShift's routes are sticky by themselves; the others are for that.
        case _:
            return False


def _is_sticky_annotation(name: str, value: str) -> bool:
    if name == f"{kubernetes_affinity.ALB}target-group-attributes":
        return "stickiness.enabled=true" in value.replace(" ", "")
    return (
        (name.endswith(("/affinity", "/cookie-based-affinity")) and value in {"cookie", "true"})
        or "sticky" in name
        or name.endswith("/upstream-hash-by")
    )


def _is_googles(kind: Node | None) -> bool:
    return text(kind) not in {"", "NONE"}


def _class_of(node: Node) -> str:
    """Return the class of an Ingress, from its annotations where it names none."""
    annotations = {key.value: text(one) for key, one in pairs(get(node, "metadata", "annotations"))}
    name = text(get(node, "spec", "ingressClassName"))
    name = name or annotations.get("kubernetes.io/ingress.class", "")
    if _product_of(name):
        return name
    fronts = {
        "alb": (kubernetes_affinity.ALB,),
        "azure-application-gateway": (kubernetes_affinity.AZURE,),
        "nginx": _NGINX,
    }
    by_front = (
        known
        for known, front in fronts.items()
        if any(annotation.startswith(front) for annotation in annotations)
    )
    return next(by_front, name)


def _product_of(name: str) -> str:
    """Return the class that a name is a variant of, such as nginx-internal; empty for others."""
    if name in _CLASSES:
        return name
    if "nginx" in name:
        return "nginx"
    return next((known for known in ("alb", "traefik") if name.startswith(known)), "")


def _backend_configs(objects: Sequence[Node], leads_to_app: LeadsToApp) -> Iterator[str]:
    """Yield the names of Google's BackendConfigs that the app's Services have as annotations."""
    for one in objects:
        name = text(get(one, "metadata", "name"))
        if text(get(one, "kind")) == "Service" and leads_to_app(name, None):
            for key, value in pairs(get(one, "metadata", "annotations")):
                if key.value.endswith("/backend-config"):
                    yield from re.findall(r'"([^"]*)"', text(value))


def _may_be_sticky(node: Node, configs: Collection[str], leads_to_app: LeadsToApp) -> bool:
    """Return whether an object is the app's, and of a kind that has ways of its own."""
    kind = text(get(node, "kind"))
    if kind == "BackendConfig":
        return text(get(node, "metadata", "name")) in configs
    key = _NAMES_SERVICE.get(kind)
    return key is not None and any(
        leads_to_app(service, None)
        for part in walk(get(node, "spec"))
        if (service := _service_in(text(get(part, key))))
    )


def _service_in(written: str) -> str:
    """Return the Service in a name, an address or a URL.

    >>> _service_in("http://app.default.svc:8501"), _service_in("app:8501"), _service_in("app")
    ('app', 'app', 'app')
    """
    return re.split(r"[.:/]", written.rpartition("://")[2], maxsplit=1)[0]


def _is_apps(node: Node, leads_to_app: LeadsToApp) -> bool:
    backends = [get(node, "spec", "defaultBackend")]
    backends += [
        get(path, "backend")
        for rule in items(get(node, "spec", "rules"))
        for path in items(get(rule, "http", "paths"))
    ]
    named = (backend_of(one) for one in backends)
    return any(leads_to_app(name, port) for name, port in named if name)


def _names_app(node: Node, key: str, leads_to_app: LeadsToApp) -> bool:
    return any(
        leads_to_app(text(get(one, "name")), get(one, "port"))
        for part in walk(get(node, "spec"))
        for one in items(get(part, key))
    )
