"""YAML: Traefik's dynamic file, Compose labels, Kubernetes resources; only what is sure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Note, Report
from stlaunch.lint.units import seconds, size
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_INGRESS = "nginx.ingress.kubernetes.io/"
_HEADERS = {
    "connection": "STL301",
    "upgrade": "STL301",
    "sec-websocket-protocol": "STL307",
    "cookie": "STL507",
    "x-xsrftoken": "STL506",
}


def lint_yaml(path: Path, app: App) -> Report:
    """Judge each document of a file that leads to the app.

    Raises:
        UsageError: for what is not YAML.
    """
    judge = _Judge(path, app)
    try:
        for node in yaml.compose_all(path.read_text(encoding="utf-8"), yaml.SafeLoader):
            judge.document(node)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(exc, "problem", None) or "it cannot be read"
        raise UsageError(f"{path}{line}, is not valid YAML: {problem}.") from exc
    if not judge.report.routes:
        text = f"No route to the app (port {app.port}) was found: --upstream HOST:PORT"
        judge.report.notes.append(Note(file=path, line=1, text=text))
    return judge.report


class _Judge:
    """The report on one file while it grows."""

    def __init__(self, path: Path, app: App) -> None:
        self.path = path
        self.app = app
        self.report = Report(files=[path])

    def document(self, node: yaml.Node | None, *, is_inner: bool = False) -> None:
        """Judge one document; a List within a List, which may be itself, is left alone."""
        if _get(node, "http") is not None:
            self._traefik(_get(node, "http"))
        elif _get(node, "apiVersion") is not None:
            self._kubernetes(node, is_inner=is_inner)
        elif _get(node, "services") is not None:
            self._compose(_get(node, "services"))

    def _add(
        self, code: str, node: yaml.Node, detail: str, product: Product, need: Need | None = None
    ) -> None:
        known = fix_for(need, product, self.app.site(BasePath())) if need else None
        self.report.findings.append(
            LintFinding(
                code=code,
                file=self.path,
                line=node.start_mark.line + 1,
                detail=detail,
                fix=known.text if known else "",
            )
        )

    def _route(self, node: yaml.Node, what: str) -> None:
        self.report.routes.append(f"{self.path}:{node.start_mark.line + 1} {what}")

    # --- Traefik's file

    def _traefik(self, http: yaml.Node | None) -> None:
        services = {
            name.value: service
            for name, service in _pairs(_get(http, "services"))
            if self._is_app(name.value, _get(service, "loadBalancer", "servers"))
        }
        for name, service in services.items():
            self._route(service, f"service {name}")
            self._balancer(_get(service, "loadBalancer"))
        used = {
            text
            for _, router in _pairs(_get(http, "routers"))
            if _text(_get(router, "service")).partition("@")[0] in services
            for text in _texts(_get(router, "middlewares"))
        }
        for name, middleware in _pairs(_get(http, "middlewares")):
            if name.value in used:
                self._middleware(middleware)

    def _is_app(self, name: str, servers: yaml.Node | None) -> bool:
        if "streamlit" in name and not self.app.upstream:
            return True
        for server in _items(servers):
            place = HostPort.parse(_text(_get(server, "url")).partition("://")[2].partition("/")[0])
            if place and self.app.listens_at(place.host, place.port):
                return True
        return False

    def _balancer(self, balancer: yaml.Node | None) -> None:
        host = _get(balancer, "passHostHeader")
        if host is not None and _text(host) == "false":
            self._add(
                "STL501",
                host,
                "The app gets the upstream's address as Host, which is not the page's Origin.",
                Product.TRAEFIK,
                Need.HOST,
            )
        servers = _get(balancer, "servers")
        if servers and len(_items(servers)) > 1 and _get(balancer, "sticky") is None:
            self._add(
                "STL702",
                servers,
                f"{len(_items(servers))} servers take turns: a browser's requests reach different "
                "replicas.",
                Product.TRAEFIK,
                Need.AFFINITY,
            )

    def _middleware(self, middleware: yaml.Node) -> None:
        for header, value in _pairs(_get(middleware, "headers", "customRequestHeaders")):
            name = header.value.lower()
            if name in _HEADERS:
                self._add(
                    _HEADERS[name],
                    header,
                    f"{header.value} does not reach the app as the browser sent it.",
                    Product.TRAEFIK,
                )
            elif name == "x-forwarded-proto" and _text(value) == "http":
                self._add("STL402", header, "The app sees http.", Product.TRAEFIK, Need.SCHEME)
        for header, value in _pairs(_get(middleware, "headers", "customResponseHeaders")):
            if header.value.lower() == "set-cookie" and not _text(value):
                detail = "The app's cookies do not arrive in the browser."
                self._add("STL505", header, detail, Product.TRAEFIK)
        limit = _get(middleware, "buffering", "maxRequestBodyBytes")
        if limit is not None and _text(limit).isdigit():
            self._body(limit, int(_text(limit)), Product.TRAEFIK)

    def _body(self, node: yaml.Node, allowed: int, product: Product) -> None:
        if 0 < allowed < self.app.max_upload_mb * 1024 * 1024:
            self._add(
                "STL607",
                node,
                f"Uploads may have {self.app.max_upload_mb} MB, and {allowed} bytes pass.",
                product,
                Need.BODY_SIZE,
            )

    # --- Compose, by Traefik's labels

    def _compose(self, services: yaml.Node | None) -> None:
        for name, service in _pairs(services):
            labels = dict(_labels(_get(service, "labels")))
            ports = [label for label in labels if label.endswith(".loadbalancer.server.port")]
            is_app = "streamlit" in name.value or any(
                labels[label][0] == str(self.app.port) for label in ports
            )
            traefik = [label for label in labels if label.startswith("traefik.http.")]
            if not is_app or not traefik:
                continue
            self._route(name, f"service {name.value}")
            self._compose_labels(labels, service, name)

    def _compose_labels(
        self, labels: dict[str, tuple[str, yaml.Node]], service: yaml.Node, name: yaml.Node
    ) -> None:
        for label, (value, node) in labels.items():
            header = re.search(r"\.customrequestheaders\.([a-z-]+)$", label)
            if label.endswith(".loadbalancer.passhostheader") and value == "false":
                detail = "The app gets the upstream's address as Host."
                self._add("STL501", node, detail, Product.TRAEFIK, Need.HOST)
            elif label.endswith(".buffering.maxrequestbodybytes") and value.isdigit():
                self._body(node, int(value), Product.TRAEFIK)
            elif header and header[1] in _HEADERS:
                detail = f"{header[1]} does not reach the app as the browser sent it."
                self._add(_HEADERS[header[1]], node, detail, Product.TRAEFIK)
        count = _get(service, "deploy", "replicas") or _get(service, "scale")
        is_sticky = any(".sticky" in label for label in labels)
        if count is not None and _text(count).isdigit() and int(_text(count)) > 1 and not is_sticky:
            self._add(
                "STL702",
                count,
                f"{_text(count)} replicas of {name.value} take turns.",
                Product.TRAEFIK,
                Need.AFFINITY,
            )

    # --- Kubernetes

    def _kubernetes(self, node: yaml.Node | None, *, is_inner: bool) -> None:
        match _text(_get(node, "kind")):
            case "Ingress":
                self._ingress(node)
            case "HTTPRoute":
                self._http_route(node)
            case "List" if not is_inner:
                for item in _items(_get(node, "items")):
                    self.document(item, is_inner=True)
            case _:
                pass

    def _ingress(self, node: yaml.Node | None) -> None:
        backends = [
            service
            for rule in _items(_get(node, "spec", "rules"))
            for path in _items(_get(rule, "http", "paths"))
            if (service := _get(path, "backend", "service")) is not None
        ]
        found = [service for service in backends if self._is_backend(service, "name", "port")]
        if not found or node is None:
            return
        self._route(node, f"Ingress {_text(_get(node, 'metadata', 'name'))}")
        annotations = {
            key.value: value for key, value in _pairs(_get(node, "metadata", "annotations"))
        }
        product = Product.INGRESS_NGINX
        is_nginx = _text(_get(node, "spec", "ingressClassName")) == "nginx" or any(
            name.startswith(_INGRESS) for name in annotations
        )
        if not is_nginx:
            text = "Only the annotations of ingress-nginx are known."
            line = node.start_mark.line + 1
            self.report.notes.append(Note(file=self.path, line=line, text=text))
            return
        body = annotations.get(_INGRESS + "proxy-body-size")
        allowed = size(_text(body)) if body is not None else 1024 * 1024
        if allowed is not None:
            self._body(body if body is not None else node, allowed, product)
        timeout = annotations.get(_INGRESS + "proxy-read-timeout")
        limit = seconds(_text(timeout)) if timeout is not None else None
        if timeout is not None and limit is not None and limit <= self.app.ping_interval_s:
            detail = f"A quiet WebSocket is cut after {limit:g} s."
            self._add("STL606", timeout, detail, product, Need.IDLE_TIMEOUT)
        vhost = annotations.get(_INGRESS + "upstream-vhost")
        if vhost is not None:
            self._add("STL501", vhost, f"The app gets {_text(vhost)} as Host.", product, Need.HOST)

    def _http_route(self, node: yaml.Node | None) -> None:
        for rule in _items(_get(node, "spec", "rules")):
            backends = _items(_get(rule, "backendRefs"))
            if not any(self._is_backend(backend, "name", "") for backend in backends):
                continue
            self._route(rule, "HTTPRoute")
            request = _get(rule, "timeouts", "request")
            limit = seconds(_text(request)) if request is not None else None
            if request is not None and limit:
                self._add(
                    "STL608",
                    request,
                    f"A request, and with some gateways a WebSocket, lasts {limit:g} s at most.",
                    Product.GATEWAY_API,
                    Need.IDLE_TIMEOUT,
                )
            for filtered in _items(_get(rule, "filters")):
                host = _get(filtered, "urlRewrite", "hostname")
                if host is not None:
                    detail = f"The app gets {_text(host)} as Host."
                    self._add("STL501", host, detail, Product.GATEWAY_API, Need.HOST)
                for removed in _items(_get(filtered, "requestHeaderModifier", "remove")):
                    if (code := _HEADERS.get(_text(removed).lower())) is not None:
                        detail = f"{_text(removed)} never reaches the app."
                        self._add(code, removed, detail, Product.GATEWAY_API)

    def _is_backend(self, node: yaml.Node | None, name: str, port: str) -> bool:
        number = _text(_get(node, port, "number") if port else _get(node, "port"))
        host = _text(_get(node, name))
        return self.app.listens_at(host, int(number) if number.isdigit() else None)


def _get(node: yaml.Node | None, *names: str) -> yaml.Node | None:
    for name in names:
        node = next((value for key, value in _pairs(node) if key.value == name), None)
    return node


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _texts(node: yaml.Node | None) -> list[str]:
    return [_text(item).partition("@")[0] for item in _items(node)]


def _labels(node: yaml.Node | None) -> Iterator[tuple[str, tuple[str, yaml.Node]]]:
    """Read labels in both of Compose's notations; Traefik does not mind their case."""
    for key, value in _pairs(node):
        yield key.value.lower(), (_text(value), key)
    for item in _items(node):
        name, _, value_text = _text(item).partition("=")
        yield name.strip().lower(), (value_text.strip(), item)
