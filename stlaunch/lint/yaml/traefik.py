"""Traefik: its dynamic file, Compose labels, and what both say about the app."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stlaunch.lint.hosted import host_note, routed_by_host
from stlaunch.lint.streamlit import base_of
from stlaunch.lint.units import whole
from stlaunch.lint.yaml.file_report import FileReport, Settings
from stlaunch.lint.yaml.nodes import Node, flat, get, items, number, pairs, text, walk
from stlaunch.lint.yaml.paths import exact_paths_of_rule
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.origin import HostPort

_MIDDLEWARE = "traefik.http.middlewares."
_NAME = re.compile(r"[^,@\s]+")


def evaluate_dynamic(file_report: FileReport, http: Node | None) -> None:
    """Evaluate what is below `http:` of a dynamic file."""
    services = {}
    for name, service in pairs(get(http, "services")):
        servers = get(service, "loadBalancer", "servers")
        if _is_app(file_report, name.value, servers):
            services[name.value] = service
            file_report.route(service, f"service {name.value}")
            _balancer(file_report, get(service, "loadBalancer"))
    used: set[str] = set()
    of_wide: set[str] = set()
    rules: list[Node | None] = []
    for _, router in pairs(get(http, "routers")):
        target = text(get(router, "service")).partition("@")[0]
        if target in services:
            rules.append(get(router, "rule"))
            own = {text(one).partition("@")[0] for one in items(get(router, "middlewares"))}
            used |= own
            of_wide |= set() if exact_paths_of_rule(text(rules[-1])) else own
        elif not services and file_report.app.is_called(target):
            file_report.route(router, f"router to {target}")
    _exact_rules(file_report, [(text(rule), rule) for rule in rules if rule is not None])
    middlewares = {name.value: node for name, node in pairs(get(http, "middlewares"))}
    used |= _chained(used, middlewares)
    of_wide |= _chained(of_wide, middlewares)
    for name, node in middlewares.items():
        if name in used:
            settings = {key: (value, at) for key, value, at in flat(node)}
            file_report.middleware(settings, is_exact=name not in of_wide)


def _exact_rules(file_report: FileReport, rules: list[tuple[str, Node]]) -> None:
    """Report the app's rules if each is for single paths, and not only for Streamlit's parts."""
    exact = [(exact_paths_of_rule(rule), node) for rule, node in rules]
    if not all(paths for paths, _ in exact):
        return
    lost = [(path, node) for paths, node in exact for path in paths if not base_of(path)[1]]
    if lost:
        path, node = lost[0]
        exact_rule(file_report, node, path)


def exact_rule(file_report: FileReport, node: Node, path: str) -> None:
    """Report a rule for one path alone."""
    file_report.exact(node, path, Product.TRAEFIK, f"write PathPrefix(`{path}`) in the rule")


def _chained(used: set[str], middlewares: dict[str, Node]) -> set[str]:
    found: set[str] = set()
    for name in used:
        chain = get(middlewares.get(name), "chain", "middlewares")
        found |= {text(one).partition("@")[0] for one in items(chain)}
    return found


def _is_app(file_report: FileReport, name: str, servers: Node | None) -> bool:
    found = file_report.app.is_called(name)
    for server in items(servers):
        url = text(get(server, "url"))
        place = HostPort.parse(url.partition("://")[2].partition("/")[0])
        if place and file_report.app.listens_at(place.host, place.port or 80):
            found = True
        elif place and not found:
            file_report.elsewhere(server, place.host, place.port or 80)
    return found


def _balancer(file_report: FileReport, balancer: Node | None) -> None:
    host = get(balancer, "passHostHeader")
    servers = get(balancer, "servers")
    if host is not None and text(host) == "false":
        names = [routed_by_host(text(get(one, "url"))) for one in items(servers)]
        if names and all(names):
            file_report.note(host, host_note(names[0]))
        else:
            no_host(file_report, host)
    if servers and len(items(servers)) > 1 and get(balancer, "sticky") is None:
        file_report.replicas(servers, len(items(servers)), Product.TRAEFIK)


def no_host(file_report: FileReport, node: Node) -> None:
    """Report passHostHeader: false."""
    detail = "The app gets the upstream's address as Host, which is not the page's Origin."
    file_report.add("STL501", node, detail, Product.TRAEFIK, Need.HOST)


def evaluate_compose(file_report: FileReport, services: Node | None) -> bool:
    """Evaluate the services of a Compose file by their labels; return whether any is the app."""
    labels = {
        name.value: {
            key: (value.replace("$$", "$"), node)
            for part in (get(service, "labels"), get(service, "deploy", "labels"))
            for key, (value, node) in _labels(part)
        }
        for name, service in pairs(services)
    }
    middlewares = _middlewares(labels)
    found = False
    for name, service in pairs(services):
        own = labels[name.value]
        ports = _ports(own, service)
        if not _is_service(file_report, name.value, service, ports):
            for port in sorted(ports):
                file_report.elsewhere(name, name.value, port)
            continue
        found = True
        if any(label.startswith("traefik.http.") for label in own):
            file_report.route(name, f"service {name.value}")
            _service_labels(file_report, own, service, name.value)
            rules = _rules(own)
            _exact_rules(file_report, rules)
            # Which router uses a middleware is not followed: it may be the one for a single path.
            is_exact = any(exact_paths_of_rule(rule) for rule, _ in rules)
            for middleware in _used(own, middlewares):
                file_report.middleware(middlewares[middleware], is_exact=is_exact)
        elif _is_caddys(own) or any("VIRTUAL_HOST" in word for word in _environment(service)):
            file_report.route(name, f"service {name.value}")
    return found


def _is_service(file_report: FileReport, name: str, service: Node, ports: set[int]) -> bool:
    if file_report.app.is_named:
        return any(file_report.app.listens_at(name, port) for port in ports)
    is_called = file_report.app.is_called(name) or file_report.app.is_called(
        text(get(service, "image"))
    )
    return (
        is_called
        or _runs_streamlit(service)
        or any(file_report.app.listens_at("", port) for port in ports)
    )


_OF_STREAMLIT = re.compile(r"STREAMLIT_(SERVER|BROWSER|GLOBAL|CLIENT|RUNNER|THEME)_|STLAUNCH_")


def _runs_streamlit(service: Node) -> bool:
    """Return whether its command or its environment mentions Streamlit."""
    commands = [text(node) for key in ("command", "entrypoint") for node in walk(get(service, key))]
    words = [word for one in commands for word in one.split()]
    return bool({"streamlit", "stlaunch"} & set(words)) or any(
        _OF_STREAMLIT.match(word) for word in _environment(service)
    )


def _is_caddys(own: Settings) -> bool:
    return any(re.fullmatch(r"caddy(_\d+)?\..*reverse_proxy", label) for label in own)


def _service_labels(file_report: FileReport, own: Settings, service: Node, name: str) -> None:
    for label, (value, node) in own.items():
        if label.endswith(".loadbalancer.passhostheader") and value == "false":
            no_host(file_report, node)
    count = get(service, "deploy", "replicas") or get(service, "scale")
    how_many = number(count) or 0
    if count is not None and how_many > 1 and not any(".sticky" in label for label in own):
        detail = f"{how_many} replicas of {name} take turns."
        file_report.add("STL702", count, detail, Product.TRAEFIK, Need.AFFINITY)


def _rules(own: Settings) -> list[tuple[str, Node]]:
    """Return the rules of the routers; none if one has none, and so takes all of a host."""
    found: dict[str, tuple[str, Node] | None] = {}
    for label, value in own.items():
        if match := re.fullmatch(r"traefik\.http\.routers\.([^.]+)\.(.+)", label):
            found.setdefault(match[1], None)
            if match[2] == "rule":
                found[match[1]] = value
    rules = [one for one in found.values() if one is not None]
    return rules if len(rules) == len(found) else []


def _middlewares(labels: dict[str, dict[str, tuple[str, Node]]]) -> dict[str, Settings]:
    found: dict[str, dict[str, tuple[str, Node]]] = {}
    for own in labels.values():
        for label, value in own.items():
            if label.startswith(_MIDDLEWARE):
                name, _, setting = label.removeprefix(_MIDDLEWARE).partition(".")
                found.setdefault(name, {})[setting] = value
    return dict(found.items())


def _used(own: Settings, middlewares: dict[str, Settings]) -> list[str]:
    """Return the middlewares of the app's routers, or those it defines if no router names any."""
    named = {
        word
        for label, (value, _) in own.items()
        if re.fullmatch(r"traefik\.http\.routers\.[^.]+\.middlewares", label)
        for word in _NAME.findall(value.lower())
    }
    for name in list(named):
        chain, _ = middlewares.get(name, {}).get("chain.middlewares", ("", None))
        named |= set(_NAME.findall(chain.lower()))
    if not named:
        named = {
            label.removeprefix(_MIDDLEWARE).partition(".")[0]
            for label in own
            if label.startswith(_MIDDLEWARE)
        }
    return sorted(named & set(middlewares))


def _ports(own: Settings, service: Node) -> set[int]:
    found = {
        port
        for label, (value, _) in own.items()
        if label.endswith(".loadbalancer.server.port") and (port := whole(value)) is not None
    }
    if found:
        return found
    for key in ("expose", "ports"):
        for one in items(get(service, key)):
            inner = text(get(one, "target")) or text(one).rpartition(":")[2].partition("/")[0]
            if (port := whole(inner)) is not None:
                found.add(port)
    return found


def _environment(service: Node) -> Iterator[str]:
    environment = get(service, "environment")
    for key, _ in pairs(environment):
        yield str(key.value)
    for one in items(environment):
        yield text(one)


def _labels(node: Node | None) -> Iterator[tuple[str, tuple[str, Node]]]:
    """Read labels in both of Compose's notations; Traefik ignores their case."""
    for key, value in pairs(node):
        yield key.value.lower(), (text(value), key)
    for item in items(node):
        name, _, value_text = text(item).partition("=")
        yield name.strip().lower(), (value_text.strip(), item)
