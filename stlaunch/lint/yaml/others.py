"""Envoy, h2o, cloudflared and CloudFormation: the route to the app, and what breaks it."""

from __future__ import annotations

from collections.abc import Iterator

from stlaunch.lint import streamlit
from stlaunch.lint.units import seconds
from stlaunch.lint.yaml.file_report import FileReport
from stlaunch.lint.yaml.nodes import Node, around, get, items, number, pairs, text, walk
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_LOCAL_HOSTS = {"localhost", "127.0.0.1"}
_KEYS_OF_H2O = ("proxy.reverse.url", "proxy.websocket", "proxy.preserve-host", "hosts")


def evaluate_envoy(file_report: FileReport, documents: list[Node]) -> bool:
    """Evaluate Envoy's listeners and clusters; return whether this is Envoy's at all."""
    nodes = [node for document in documents for node in walk(document)]
    clusters = [node for node in nodes if get(node, "load_assignment") is not None]
    managers = [
        node
        for node in nodes
        if get(node, "route_config") is not None or get(node, "upgrade_configs") is not None
    ]
    if not clusters and not managers:
        return False
    names = set()
    for cluster in clusters:
        name = text(get(cluster, "name"))
        found = file_report.app.is_called(name)
        for address in walk(get(cluster, "load_assignment")):
            host, port = text(get(address, "address")), number(get(address, "port_value"))
            if port is not None and file_report.app.listens_at(host, port):
                found = True
            elif port is not None and not found:
                file_report.elsewhere(address, host, port)
            path = text(get(address, "pipe", "path"))
            found |= bool(path) and file_report.app.listens_on_socket(path)
        if found:
            names.add(name)
            file_report.route(cluster, f"cluster {name}")
    if names:
        for manager in managers:
            _manager(file_report, manager, names)
    return True


def _manager(file_report: FileReport, manager: Node, names: set[str]) -> None:
    routes = [
        node
        for node in walk(get(manager, "route_config"))
        if text(get(node, "route", "cluster")) in names
    ]
    if not routes:
        return
    upgrades = [
        text(get(one, "upgrade_type")).lower()
        for node in (manager, *(get(route, "route") for route in routes))
        for one in items(get(node, "upgrade_configs"))
    ]
    if "websocket" not in upgrades:
        detail = "Envoy refuses the WebSocket handshake: upgrade_configs does not name websocket."
        file_report.add("STL301", manager, detail, Product.ENVOY, Need.UPGRADE)
    limit = get(manager, "stream_idle_timeout")
    if limit is not None:
        file_report.idle(limit, seconds(text(limit)), Product.ENVOY)
    for virtual in items(get(manager, "route_config", "virtual_hosts")):
        _envoy_paths(file_report, items(get(virtual, "routes")), names)
    _envoy_headers(file_report, manager, routes)
    for body in walk(get(manager, "http_filters")):
        allowed = get(body, "max_request_bytes")
        if allowed is not None and number(allowed) is not None:
            file_report.body(allowed, number(allowed) or 0, Product.ENVOY)
    for route in routes:
        for key in ("host_rewrite_literal", "auto_host_rewrite"):
            host = get(route, "route", key)
            if host is not None and text(host) != "false":
                detail = "The app gets another Host than the page's."
                file_report.add("STL501", host, detail, Product.ENVOY, Need.HOST)


def _envoy_paths(file_report: FileReport, routes: list[Node], names: set[str]) -> None:
    """Evaluate what `prefix_rewrite` makes of the app's paths: it replaces the literal text."""
    for route in routes:
        prefix, rewrite = get(route, "match", "prefix"), get(route, "route", "prefix_rewrite")
        if prefix is None or rewrite is None or text(get(route, "route", "cluster")) not in names:
            continue
        base = BasePath(streamlit.base_of(text(prefix))[0])
        asked = base.value + streamlit.STREAM
        first = next((one for one in routes if _may_take(one, asked)), None)
        if first is not route or not asked.startswith(text(prefix)):
            continue
        sent = text(rewrite) + asked.removeprefix(text(prefix))
        if fault := streamlit.mapping_fault(base, streamlit.STREAM, sent):
            code, what = fault
            file_report.add(
                code, rewrite, f"The app gets {sent} for {asked}, {what}.", Product.ENVOY
            )


def _may_take(route: Node, path: str) -> bool:
    """Return whether a route is for a path, as far as its path decides; unknown ones may be."""
    match = get(route, "match")
    prefix, exact = get(match, "prefix"), get(match, "path")
    if prefix is not None:
        return path.startswith(text(prefix))
    return exact is None or text(exact) == path


def _envoy_headers(file_report: FileReport, manager: Node, routes: list[Node]) -> None:
    """Evaluate the headers that are added and removed around the routes to the app."""
    product = Product.ENVOY
    config = get(manager, "route_config")
    hosts = [
        host
        for host in items(get(config, "virtual_hosts"))
        if any(route in routes for route in items(get(host, "routes")))
    ]
    around = [node for node in (config, *hosts, *routes) if node is not None]
    sent = []
    for node in around:
        for name, value in _added(get(node, "response_headers_to_add")):
            sent.append((name, text(value), value))
        for name, value in _added(get(node, "request_headers_to_add")):
            file_report.request_header(name.lower(), text(value), value, product)
        for one in items(get(node, "request_headers_to_remove")):
            file_report.request_header(text(one).lower(), "", one, product)
        for one in items(get(node, "response_headers_to_remove")):
            if text(one).lower() == "set-cookie":
                detail = "The app's cookies do not arrive in the browser."
                file_report.add("STL505", one, detail, product)
    file_report.response_headers(sent, product)


def _added(node: Node | None) -> Iterator[tuple[str, Node]]:
    for one in items(node):
        value = get(one, "header", "value")
        if value is not None:
            yield text(get(one, "header", "key")), value


def evaluate_h2o(file_report: FileReport, document: Node) -> bool:
    """Evaluate an h2o configuration; return whether this is one."""
    urls = [
        (key, value)
        for node in walk(document)
        for key, value in pairs(node)
        if key.value == "proxy.reverse.url"
    ]
    if not urls and not any(get(document, key) is not None for key in _KEYS_OF_H2O[1:3]):
        return False
    routes = [key for key, value in urls if _is_h2os_app(file_report, key, value)]
    # A part of a file has no hosts of its own, and the rest of it decides.
    if not routes or get(document, "hosts") is None:
        return True
    _h2o_settings(file_report, document, routes[0])
    _h2o_headers(file_report, document, routes[0])
    return True


def _h2o_headers(file_report: FileReport, document: Node, route: Node) -> None:
    """Evaluate the response headers of the levels around the route to the app."""
    sent = []
    for node in around(document, route):
        for key, value in pairs(node):
            if key.value not in {"header.set", "header.add", "header.merge", "header.setifempty"}:
                continue
            for one in items(value) or items(get(value, "header")) or [value]:
                name, _, content = text(one).partition(":")
                sent.append((name.strip(), content.strip(), one))
    file_report.response_headers(sent, Product.H2O)


def _is_h2os_app(file_report: FileReport, key: Node, value: Node) -> bool:
    url = text(value) or text(next(iter(items(value)), None))
    place = url.partition("://")[2].partition("/")[0]
    if "[unix:" in url:
        place = url.partition("[")[2].partition("]")[0]
    if file_report.app.is_at(place, 80):
        file_report.route(key, "proxy.reverse.url")
        return True
    if parsed := HostPort.parse(place):
        file_report.elsewhere(key, parsed.host, parsed.port or 80)
    return False


def _h2o_settings(file_report: FileReport, document: Node, at: Node) -> None:
    levels = around(document, at)  # from the outside in: the innermost counts
    settings = {key.value: value for node in levels for key, value in pairs(node)}
    websocket, host = settings.get("proxy.websocket"), settings.get("proxy.preserve-host")
    if text(websocket).upper() != "ON":
        detail = "h2o drops the WebSocket upgrade: proxy.websocket is not ON."
        file_report.add("STL301", websocket or at, detail, Product.H2O, Need.UPGRADE)
    if text(host).upper() != "ON":
        detail = "The app gets the upstream's address as Host, which is not the page's Origin."
        file_report.add("STL501", host or at, detail, Product.H2O, Need.HOST)
    body = settings.get("limit-request-body")
    allowed = number(body)
    if body is not None and allowed is not None:
        file_report.body(body, allowed, Product.H2O)
    idle = settings.get("proxy.websocket.timeout")
    milliseconds = number(idle)
    if idle is not None and milliseconds is not None:
        file_report.idle(idle, milliseconds / 1000, Product.H2O)


def evaluate_cloudflare(file_report: FileReport, document: Node) -> bool:
    """Evaluate the ingress rules of cloudflared; return whether this is its file."""
    rules = items(get(document, "ingress")) or items(document)
    services = [rule for rule in rules if get(rule, "service") is not None]
    if not services:
        return False
    for rule in services:
        url = text(get(rule, "service"))
        place = url.partition("://")[2].partition("/")[0]
        if not file_report.app.is_at(place or url, 80):
            if parsed := HostPort.parse(place):
                file_report.elsewhere(rule, parsed.host, parsed.port or 80)
            continue
        file_report.route(rule, "ingress rule")
        host = get(rule, "originRequest", "httpHostHeader")
        if host is not None and text(host).partition(":")[0] in _LOCAL_HOSTS:
            detail = f"The app gets {text(host)} as Host, which is not the page's Origin."
            file_report.add("STL501", host, detail, Product.CLOUDFLARE, Need.HOST)
    return True


def evaluate_cloudformation(file_report: FileReport, document: Node) -> bool:
    """Evaluate an Application Load Balancer; return whether this is a CloudFormation template."""
    found = False
    for node in walk(document):
        kind = text(get(node, "Type"))
        if not kind.startswith("AWS::ElasticLoadBalancingV2::"):
            for attribute in _attributes(node):
                found = True
                if text(get(attribute, "Key")) == "idle_timeout.timeout_seconds":
                    value = get(attribute, "Value")
                    if value is not None:
                        file_report.idle(value, seconds(text(value)), Product.AWS_ALB)
            continue
        found = True
        for action in items(get(node, "Properties", "Actions")):
            if file_report.app.is_called(text(get(action, "TargetGroupArn"))):
                file_report.route(node, "listener rule")
        port = get(node, "Properties", "Port")
        if kind.endswith("TargetGroup") and port is not None:
            if file_report.app.listens_at("", number(port)):
                file_report.route(node, "target group")
            else:
                file_report.elsewhere(node, "localhost", number(port))
    return found


def _attributes(node: Node) -> Iterator[Node]:
    for one in items(get(node, "LoadBalancerAttributes")):
        if get(one, "Key") is not None:
            yield one
