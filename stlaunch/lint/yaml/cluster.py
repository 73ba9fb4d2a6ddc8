"""Combine the Kubernetes objects of all files: Services, their ports and their pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field

from stlaunch.lint.app import App
from stlaunch.lint.yaml.affinity import Balancer, balancer_of, is_sticky_route
from stlaunch.lint.yaml.nodes import Node, get, items, number, pairs, text
from stlaunch.lint.yaml.paths import WidePaths, is_covered, wide_paths
from stlaunch.quick_dataclass import dataclass

_WORKLOADS = {"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet"}
_STICKY_SERVICE = "traefik.ingress.kubernetes.io/service.sticky"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One Deployment or the like."""

    node: Node
    name: str
    labels: frozenset[tuple[str, str]]
    ports: dict[str, int]
    is_app: bool


@dataclass(slots=True)
class Cluster:
    """The objects of all files that were given."""

    app: App
    objects: list[Node] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    services: dict[str, Node] = field(default_factory=dict)
    wide: WidePaths = field(default_factory=dict)
    balancer: Balancer | None = None
    """What chooses the app's pod; None where the linter does not know it."""
    has_sticky_route: bool = False

    @classmethod
    def of(cls, documents: Iterable[Node], app: App) -> Cluster:
        """Collect the documents; those that are no Kubernetes objects are left out."""
        cluster = cls(app)
        cluster.objects = [one for document in documents for one in objects(document)]
        for one in cluster.objects:
            kind = text(get(one, "kind"))
            if kind in _WORKLOADS:
                cluster.workloads.append(_workload(one, app))
            elif kind == "Service":
                cluster.services[text(get(one, "metadata", "name"))] = one
        cluster.wide = wide_paths(cluster.objects, cluster.leads_to_app)
        cluster.balancer = balancer_of(cluster.objects, cluster.leads_to_app)
        cluster.has_sticky_route = any(map(is_sticky_route, cluster.objects))
        return cluster

    def leads_to_app(self, name: str, port: Node | None) -> bool:
        """Return whether a Service's port is the app: by name, by number, or by its targetPort."""
        wanted = text(port)
        if self.app.listens_at(name, number(port)):
            return True
        service = self.services.get(name)
        if service is None:
            return False
        for one in items(get(service, "spec", "ports")):
            is_asked = wanted in {text(get(one, "port")), text(get(one, "name"))} or not wanted
            if is_asked and self._is_target(service, get(one, "targetPort") or get(one, "port")):
                return True
        return False

    def workloads_of(self, service: Node) -> list[Workload]:
        """Return the workloads that a Service selects."""
        wanted = {
            (key.value, text(value)) for key, value in pairs(get(service, "spec", "selector"))
        }
        return [one for one in self.workloads if wanted and wanted <= one.labels]

    def services_of(self, workload: Workload) -> list[Node]:
        """Return the Services that select a workload."""
        return [one for one in self.services.values() if workload in self.workloads_of(one)]

    def is_sticky(self, workload: Workload) -> bool:
        """Return whether anything in the files keeps a browser on one pod."""
        for service in self.services_of(workload) or list(self.services.values()):
            if text(get(service, "spec", "sessionAffinity")) == "ClientIP":
                return True
            for key, _ in pairs(get(service, "metadata", "annotations")):
                if key.value.startswith(_STICKY_SERVICE):
                    return True
        return self.has_sticky_route

    def is_covered(self, path: str, hosts: set[str]) -> bool:
        """Return whether everything around a path leads to the app as well."""
        return is_covered(self.wide, path, hosts)

    def scaled(self, workload: Workload) -> tuple[Node, int] | None:
        """Return where several replicas are requested, and how many."""
        count = get(workload.node, "spec", "replicas")
        if count is not None and (many := number(count) or 0) > 1:
            return count, many
        for one in self.objects:
            target = text(get(one, "spec", "scaleTargetRef", "name"))
            if text(get(one, "kind")) == "HorizontalPodAutoscaler" and target == workload.name:
                most = get(one, "spec", "maxReplicas")
                many = number(most) or 0
                if most is not None and many > 1:
                    return most, many
        return None

    def _is_target(self, service: Node, target: Node | None) -> bool:
        port = number(target)
        if port is None:
            named = [one.ports.get(text(target)) for one in self.workloads_of(service)]
            return any(one is not None and self.app.listens_at("", one) for one in named)
        return self.app.listens_at("", port)


def objects(document: Node | None) -> Iterator[Node]:
    """Yield the objects of a document: itself, or those of a List, ignoring Lists within."""
    if get(document, "apiVersion") is None or document is None:
        return
    if text(get(document, "kind")) != "List":
        yield document
        return
    for one in items(get(document, "items")):
        if text(get(one, "kind")) != "List":
            yield one


def _workload(node: Node, app: App) -> Workload:
    name = text(get(node, "metadata", "name"))
    ports: dict[str, int] = {}
    words = [name]
    numbers = set()
    for container in items(get(node, "spec", "template", "spec", "containers")):
        words += [text(get(container, "image")), text(get(container, "name"))]
        words += [text(one) for key in ("command", "args") for one in items(get(container, key))]
        for port in items(get(container, "ports")):
            value = number(get(port, "containerPort"))
            if value is not None:
                numbers.add(value)
                ports[text(get(port, "name"))] = value
    labels = get(node, "spec", "template", "metadata", "labels")
    is_app = any(app.listens_at("", port) for port in numbers) or any(map(app.is_called, words))
    return Workload(
        node=node,
        name=name,
        labels=frozenset((key.value, text(value)) for key, value in pairs(labels)),
        ports=ports,
        is_app=is_app,
    )
