"""Kubernetes: Ingress, HTTPRoute, IngressRoute, OpenShift's Route, and replicas of the app."""

from __future__ import annotations

import re

from stlaunch.errors import UsageError
from stlaunch.lint import streamlit
from stlaunch.lint.expressions import NotUnderstoodError, search
from stlaunch.lint.units import seconds, size
from stlaunch.lint.yaml.cluster import Cluster, Workload
from stlaunch.lint.yaml.file_report import FileReport
from stlaunch.lint.yaml.nodes import Node, flat, get, items, number, pairs, text
from stlaunch.lint.yaml.paths import (
    backend_of,
    exact_paths,
    exact_paths_of_rule,
    hosts_of,
    literal_of,
)
from stlaunch.lint.yaml.snippet import added_headers, hides_origin, snippet_directives
from stlaunch.lint.yaml.traefik import exact_rule, no_host
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath

_INGRESS = "nginx.ingress.kubernetes.io/"
_F5 = ("nginx.org/", "nginx.com/")
_OPENSHIFT = "haproxy.router.openshift.io/"
_DEFAULT_BODY = 1024 * 1024
_DEFAULT_BURST = 5


def evaluate_object(file_report: FileReport, node: Node, cluster: Cluster) -> None:
    """Evaluate one object."""
    match text(get(node, "kind")):
        case "Ingress":
            _ingress(file_report, node, cluster)
        case "HTTPRoute":
            _http_route(file_report, node, cluster)
        case "IngressRoute":
            _ingress_route(file_report, node, cluster)
        case "Route":
            _openshift(file_report, node, cluster)
        case _:
            workload = next((one for one in cluster.workloads if one.node is node), None)
            if workload is not None and workload.is_app:
                _workload(file_report, workload, cluster)


def _workload(file_report: FileReport, workload: Workload, cluster: Cluster) -> None:
    scaled = cluster.scaled(workload)
    file_report.report.passes_nothing_on = True
    if scaled is None or cluster.is_sticky(workload):
        return
    at, count = scaled
    balancer = cluster.balancer
    if balancer is None:
        note = f"{count} replicas: whether each browser stays on one of them is not known here."
        file_report.note(at, note)
    else:
        file_report.replicas(at, count, balancer.product, balancer.fix)


def _ingress(file_report: FileReport, node: Node, cluster: Cluster) -> None:
    ways = [
        (path, text(get(rule, "host")))
        for rule in items(get(node, "spec", "rules"))
        for path in items(get(rule, "http", "paths"))
        if _is_backend(file_report, get(path, "backend"), cluster)
    ]
    is_default = _is_backend(file_report, get(node, "spec", "defaultBackend"), cluster)
    if not ways and not is_default:
        return
    file_report.route(node, f"Ingress {text(get(node, 'metadata', 'name'))}")
    annotations = {key.value: value for key, value in pairs(get(node, "metadata", "annotations"))}
    if any(name.startswith(_F5) for name in annotations) and not any(
        name.startswith(_INGRESS) for name in annotations
    ):
        own = {name.rpartition("/")[2]: one for name, one in annotations.items()}
        spec = get(node, "spec")
        backends = [(path, get(path, "backend")) for path, _ in ways]
        if spec is not None and is_default:
            backends.append((spec, get(spec, "defaultBackend")))
        _f5_annotations(file_report, node, backends, own)
        _paths(file_report, ways, {}, cluster)  # F5's rewrites are other annotations.
        return
    is_nginx = text(get(node, "spec", "ingressClassName")) in {"nginx", "public"} or any(
        name.startswith(_INGRESS) for name in annotations
    )
    is_nginx |= text(annotations.get("kubernetes.io/ingress.class")) == "nginx"
    if not is_nginx:
        file_report.note(node, "Only the annotations of ingress-nginx and F5's are known.")
        return
    own = {
        name.removeprefix(_INGRESS): value
        for name, value in annotations.items()
        if name.startswith(_INGRESS)
    }
    _annotations(file_report, node, own, {host for _, host in ways})
    _paths(file_report, ways, own, cluster)


def _f5_annotations(
    file_report: FileReport,
    node: Node,
    backends: list[tuple[Node, Node | None]],
    own: dict[str, Node],
) -> None:
    """Evaluate those of F5's NGINX Ingress Controller, which upgrades only the Services it names.

    https://docs.nginx.com/nginx-ingress-controller/configuration/ingress-resources/
    advanced-configuration-with-annotations/
    """
    product = Product.INGRESS_NGINX
    named = {name.strip() for name in text(own.get("websocket-services")).split(",")}
    for at, backend in backends:
        name, _ = backend_of(backend)
        if name not in named:
            named.add(name)  # One line of its own is enough for all its paths.
            file_report.add(
                "STL301",
                own.get("websocket-services") or at,
                f"The WebSocket handshake loses Upgrade: {_F5[0]}websocket-services does not name "
                f"the Service {name}.",
                product,
                fix=_annotation(f"{_F5[0]}websocket-services", ",".join(sorted(named))),
            )
    body = own.get("client-max-body-size")
    allowed = size(text(body)) if body is not None else _DEFAULT_BODY
    if allowed is not None and 0 < allowed < file_report.app.max_upload_bytes:
        most = file_report.app.max_upload_mb
        detail = f"Uploads may have {most} MB, and {allowed} bytes pass."
        fix = _annotation(f"{_F5[0]}client-max-body-size", f"{most + 1}m")
        file_report.add("STL607", body if body is not None else node, detail, product, fix=fix)
    timeout = own.get("proxy-read-timeout")
    if timeout is not None:
        limit, ping = seconds(text(timeout)), file_report.app.ping_interval_s
        if limit is not None and 0 < limit <= ping:
            detail = (
                f"A quiet WebSocket is cut after {limit:g} s, and the app pings every {ping} s."
            )
            fix = _annotation(f"{_F5[0]}proxy-read-timeout", "120s")
            file_report.add("STL606", timeout, detail, product, fix=fix)


def _annotation(name: str, value: str) -> str:
    return f'in the Ingress, in `metadata.annotations`:\n    {name}: "{value.strip(",")}"'


def _annotations(
    file_report: FileReport, node: Node, own: dict[str, Node], hosts: set[str]
) -> None:
    product = Product.INGRESS_NGINX
    body = own.get("proxy-body-size")
    allowed = size(text(body)) if body is not None else _DEFAULT_BODY
    if allowed is not None:
        file_report.body(body if body is not None else node, allowed, product)
    timeout = own.get("proxy-read-timeout")
    if timeout is not None:
        file_report.idle(timeout, seconds(text(timeout)), product)
    vhost = own.get("upstream-vhost")
    if vhost is not None and hosts != {text(vhost)}:
        file_report.add("STL501", vhost, f"The app gets {text(vhost)} as Host.", product, Need.HOST)
    burst = number(own.get("limit-burst-multiplier")) or _DEFAULT_BURST
    for name, per in (("limit-rps", 1), ("limit-rpm", 60)):
        limit = own.get(name)
        rate = number(limit)
        if limit is not None and rate:
            file_report.rate(limit, rate * burst + 1 + rate // per, product)
    connections = own.get("limit-connections")
    if connections is not None:
        file_report.parallel(connections, number(connections), product)
    for name in ("configuration-snippet", "server-snippet"):
        snippet = own.get(name)
        if snippet is not None:
            _snippet(file_report, snippet)


def _snippet(file_report: FileReport, node: Node) -> None:
    product = Product.INGRESS_NGINX
    try:
        directives = snippet_directives(text(node))
    except UsageError as exc:
        file_report.note(node, f"Not understood, so not checked: {exc}")
        return
    added = [(name, value, node) for name, value in added_headers(directives)]
    file_report.response_headers(added, product)
    if hides_origin(directives):
        file_report.request_header("origin", "", node, product)


def _paths(
    file_report: FileReport, ways: list[tuple[Node, str]], own: dict[str, Node], cluster: Cluster
) -> None:
    for path, host in ways:
        is_extra = _is_extra(text(get(path, "path")), {host}, cluster)
        _path(file_report, path, own, is_extra=is_extra)


def _path(file_report: FileReport, path: Node, own: dict[str, Node], *, is_extra: bool) -> None:
    """Follow one path of the app through `rewrite-target`, as ingress-nginx does.

    An extra one is for one of Streamlit's parts, or everything around it is the app's.
    """
    written = text(get(path, "path")) or "/"
    target = own.get("rewrite-target")
    kind = get(path, "pathType")
    name, is_part = streamlit.base_of(literal_of(written))
    base = file_report.app.base_path or BasePath(name)
    asked = base.value + streamlit.STREAM
    if kind is not None and text(kind) == "Exact" and not is_extra:
        detail = f"pathType Exact lets {written} through and nothing below it: {asked} is lost."
        file_report.add("STL316", kind, detail, Product.INGRESS_NGINX, Need.ROUTE)
        return
    if target is None or is_part or text(kind) == "Exact":
        return
    if not _is_rewritten(written, text(kind), text(target)):
        return
    try:
        match = search(f"^{written}", asked, re.IGNORECASE)
    except NotUnderstoodError:
        file_report.note(path, f"Not understood, so not checked: the expression {written}.")
        return
    if match is None:
        return
    groups = (match[0], *match.groups(""))
    sent = re.sub(
        r"\$(\d)",
        lambda found: groups[int(found[1])] if int(found[1]) < len(groups) else "",
        text(target),
    )
    fault = streamlit.mapping_fault(base, streamlit.STREAM, sent or "/")
    if fault is not None:
        code, what = fault
        detail = f"The app gets {sent} for {asked}, {what}: the rewrite keeps nothing of the path."
        file_report.add(code, target, detail, Product.INGRESS_NGINX, Need.ROUTE)


def _is_rewritten(path: str, kind: str, target: str) -> bool:
    """Return whether ingress-nginx rewrites a path: its own is none.

    It adds the final slash of a Prefix path before it compares (location.go, template.go), so
    /app is rewritten to /app, and / is not rewritten to /.
    """
    is_changed = kind == "Prefix" and not path.endswith("/")
    return bool(target) and (target != path or is_changed)


def _is_backend(file_report: FileReport, backend: Node | None, cluster: Cluster) -> bool:
    name, port = backend_of(backend)
    if not name:
        return False
    if cluster.leads_to_app(name, port):
        return True
    if backend is not None:
        _other(file_report, backend, name, port, cluster)
    return False


def _other(
    file_report: FileReport, at: Node, name: str, port: Node | None, cluster: Cluster
) -> None:
    if name not in cluster.services:
        file_report.note(
            at,
            f"The Service {name} is in none of the files: whether it is the app is unknown.",
            is_gap=True,
        )
    file_report.elsewhere(at, name, number(port) or 80)


def _http_route(file_report: FileReport, node: Node, cluster: Cluster) -> None:
    product = Product.GATEWAY_API
    hosts = hosts_of(node)
    for rule in items(get(node, "spec", "rules")):
        backends = items(get(rule, "backendRefs"))
        if not any(
            cluster.leads_to_app(text(get(one, "name")), get(one, "port")) for one in backends
        ):
            for one in backends:
                _other(file_report, one, text(get(one, "name")), get(one, "port"), cluster)
            continue
        file_report.route(rule, "HTTPRoute")
        request = get(rule, "timeouts", "request")
        limit = seconds(text(request)) if request is not None else None
        if request is not None and limit:
            file_report.add(
                "STL608",
                request,
                f"A request, and with some gateways a WebSocket, lasts {limit:g} s at most.",
                product,
                Need.IDLE_TIMEOUT,
            )
        exact = exact_paths(rule)
        lost = (one for one in exact if not _is_extra(text(one), hosts, cluster))
        if (at := next(lost, None)) is not None:
            file_report.exact(at, text(at), product, "write type: PathPrefix in the rule's path")
        for one in items(get(rule, "filters")):
            _filter(file_report, one, is_exact=bool(exact))


def _is_extra(path: str, hosts: set[str], cluster: Cluster) -> bool:
    """Return whether a path is one of Streamlit's parts, or everything around it is the app's."""
    return streamlit.base_of(path)[1] or cluster.is_covered(path, hosts)


def _filter(file_report: FileReport, node: Node, *, is_exact: bool) -> None:
    product = Product.GATEWAY_API
    host = get(node, "urlRewrite", "hostname")
    if host is not None:
        file_report.add("STL501", host, f"The app gets {text(host)} as Host.", product, Need.HOST)
    whole = get(node, "urlRewrite", "path", "replaceFullPath")
    if whole is not None and not is_exact:
        file_report.replaced_path(text(whole), whole, product)
    for removed in items(get(node, "requestHeaderModifier", "remove")):
        name = text(removed).lower()
        if (code := streamlit.LOST_HEADERS.get(name)) is not None:
            file_report.add(code, removed, f"{text(removed)} never reaches the app.", product)
        elif name == "origin":
            file_report.request_header("origin", "", removed, product)
    for change in ("set", "add"):
        for one in items(get(node, "requestHeaderModifier", change)):
            file_report.request_header(
                text(get(one, "name")).lower(), text(get(one, "value")), one, product
            )
    added = [
        (text(get(one, "name")), text(get(one, "value")), one)
        for change in ("set", "add")
        for one in items(get(node, "responseHeaderModifier", change))
    ]
    file_report.response_headers(added, product)


def _ingress_route(file_report: FileReport, node: Node, cluster: Cluster) -> None:
    middlewares = {
        text(get(one, "metadata", "name")): get(one, "spec")
        for one in cluster.objects
        if text(get(one, "kind")) == "Middleware"
    }
    for route in items(get(node, "spec", "routes")):
        own = [
            one
            for one in items(get(route, "services"))
            if cluster.leads_to_app(text(get(one, "name")), get(one, "port"))
        ]
        if not own:
            for one in items(get(route, "services")):
                _other(file_report, one, text(get(one, "name")), get(one, "port"), cluster)
            continue
        file_report.route(route, "IngressRoute")
        for service in own:
            host = get(service, "passHostHeader")
            if host is not None and text(host) == "false":
                no_host(file_report, host)
        exact = exact_paths_of_rule(text(get(route, "match")))
        lost = (path for path in exact if not _is_extra(path, {""}, cluster))
        at = get(route, "match")
        if at is not None and (path := next(lost, None)) is not None:
            exact_rule(file_report, at, path)
        for name in _with_chained(items(get(route, "middlewares")), middlewares):
            spec = middlewares[name]
            settings = {key: (value, at) for key, value, at in flat(spec)}
            file_report.middleware(settings, is_exact=bool(exact))


def _with_chained(used: list[Node], middlewares: dict[str, Node | None]) -> list[str]:
    """Return the names of the middlewares, and of those that they chain, each once."""
    found: dict[str, None] = {}
    left = [text(get(one, "name")) for one in used]
    for name in left:
        if name in middlewares and name not in found:
            found[name] = None
            chained = items(get(middlewares[name], "chain", "middlewares"))
            left += [text(get(one, "name")) for one in chained]
    return list(found)


def _openshift(file_report: FileReport, node: Node, cluster: Cluster) -> None:
    product = Product.OPENSHIFT
    name = text(get(node, "spec", "to", "name"))
    port = get(node, "spec", "port", "targetPort")
    if not (cluster.leads_to_app(name, port) or file_report.app.listens_at("", number(port))):
        _other(file_report, node, name, port, cluster)
        return
    file_report.route(node, f"Route {text(get(node, 'metadata', 'name'))}")
    own = {
        key.value.removeprefix(_OPENSHIFT): value
        for key, value in pairs(get(node, "metadata", "annotations"))
        if key.value.startswith(_OPENSHIFT)
    }
    limit = own.get("timeout-tunnel")
    if limit is None and text(get(node, "spec", "tls", "termination")) == "passthrough":
        limit = own.get("timeout")  # elsewhere it does not govern an open WebSocket
    if limit is not None:
        file_report.idle(limit, seconds(text(limit)), product)
