"""Manifests against real schemas, and the other formats as far as a parser on this machine knows.

The schemas of Kubernetes itself come with kubernetes-validate. Those of the Gateway API, Traefik
and OpenShift are in no package: of these the structure is checked by hand below.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.proxies.golden import texts

TEXTS = texts()
KUBERNETES = ("gateway-api", "ingress", "openshift", "traefik-kubernetes")
YAML = (*KUBERNETES, "traefik", "traefik-docker", "envoy", "h2o", "aws-alb", "cloudflare")
BUILT_IN = {"v1", "networking.k8s.io/v1"}


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's `!Ref`."""


_Loader.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})


def documents(name: str) -> list[Any]:
    return [document for document in yaml.load_all(TEXTS[name], _Loader) if document]


def names(kinds: tuple[str, ...], *forms: str) -> list[str]:
    wanted = {f"{kind}.{form}.txt" for kind in kinds for form in forms}
    return sorted(wanted & TEXTS.keys())


@pytest.mark.parametrize("name", names(KUBERNETES, "kept", "other"))
def test_manifests_of_kubernetes_itself_are_valid(name: str) -> None:
    import kubernetes_validate  # seconds to import: not while tests are collected

    version = kubernetes_validate.latest_version()
    for document in documents(name):
        if document["apiVersion"] in BUILT_IN:
            kubernetes_validate.validate(document, version, strict=True)
        else:
            assert {"apiVersion", "kind", "metadata", "spec"} == document.keys()
            assert document["metadata"]["name"]


@pytest.mark.parametrize("name", names(YAML, "kept", "other"))
def test_yaml_is_yaml_without_doubled_keys(name: str) -> None:
    assert documents(name)
    for node in yaml.compose_all(TEXTS[name], _Loader):
        check_keys(node)


def check_keys(node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        for _, value in node.value:
            check_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            check_keys(value)


@pytest.mark.parametrize("form", ["kept", "other"])
def test_http_route_has_what_the_gateway_api_allows(form: str) -> None:
    """Field names of HTTPRoute v1, and its rule that a redirect has no backend."""
    route = documents(f"gateway-api.{form}.txt")[-1]
    assert route["kind"] == "HTTPRoute"
    allowed = {"name", "matches", "filters", "backendRefs", "timeouts", "sessionPersistence"}
    for rule in route["spec"]["rules"]:
        assert rule.keys() <= allowed
        redirects = [item for item in rule["filters"] if item["type"] == "RequestRedirect"]
        assert bool(redirects) != bool(rule.get("backendRefs"))
        assert len(rule["matches"]) <= 64
        for item in rule["filters"]:
            fields = {"URLRewrite": "urlRewrite"}
            field = fields.get(item["type"], item["type"][0].lower() + item["type"][1:])
            assert item.keys() == {"type", field}
    main = route["spec"]["rules"][0]
    assert ("sessionPersistence" in main) == (form == "other")
    assert main["timeouts"] == {"request": "0s"}


@pytest.mark.parametrize("name", names(("iis",), "kept", "other", "snippet"))
def test_web_config_is_well_formed(name: str) -> None:
    text = TEXTS[name]
    if name.endswith("snippet.txt"):
        text = f"<system.webServer>{text}</system.webServer>"
    root = ET.fromstring(text)

    assert [rule.get("name") for rule in root.iter("rule")] == [
        "streamlit-diagnostics",
        "streamlit-slash",
        "streamlit",
    ]


@pytest.mark.parametrize("name", names(("azure-gateway",), "kept", "other"))
def test_bicep_is_balanced(name: str) -> None:
    """No Bicep compiler is in any package: brackets and quotes at least."""
    code = [line for line in TEXTS[name].splitlines() if not line.lstrip().startswith("//")]
    depth: list[str] = []
    for char in "\n".join(code):
        if char in "([{":
            depth.append(char)
        elif char in ")]}":
            assert depth.pop() + char in {"()", "[]", "{}"}

    assert depth == []
    assert all(line.count("'") % 2 == 0 for line in code)


@pytest.mark.parametrize("form", ["kept", "other"])
def test_docker_labels_say_what_the_file_says(form: str) -> None:
    """The file is what the tests run; the labels are the same tree in another notation."""
    labels = documents(f"traefik-docker.{form}.txt")[0]["services"]["streamlit"]["labels"]
    written = documents(f"traefik.{form}.txt")[0]["http"]
    tree: dict[str, Any] = {}
    for label, value in labels.items():
        if label.startswith("traefik.http."):
            place = tree
            *path, last = label.removeprefix("traefik.http.").split(".")
            for name in path:
                place = place.setdefault(name.lower(), {})
            place[last.lower()] = value.replace("$$", "$")

    service = written["services"]["streamlit"]["loadBalancer"]
    del service["servers"]
    assert tree["services"]["streamlit"]["loadbalancer"].pop("server") == {"port": "8501"}
    assert tree["services"]["streamlit"]["loadbalancer"] == folded(service)
    assert tree["middlewares"] == folded(written["middlewares"])
    for name, router in tree["routers"].items():
        expected = written["routers"][name]
        assert router["rule"] == expected["rule"]
        assert router["middlewares"].split(",") == expected["middlewares"]
        assert router["entrypoints"] == expected["entryPoints"][0]
        assert router["tls"] == "true"
        assert expected["tls"] == {}


def folded(value: Any) -> Any:
    """Write a tree as labels do: lower-case names, texts, lists with commas."""
    if isinstance(value, dict):
        return {name.lower(): folded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("form", ["kept", "other"])
def test_ingress_route_says_what_the_file_says(form: str) -> None:
    *middlewares, route = documents(f"traefik-kubernetes.{form}.txt")
    written = documents(f"traefik.{form}.txt")[0]["http"]

    assert {m["metadata"]["name"]: m["spec"] for m in middlewares} == written["middlewares"]
    rules = [router["rule"] for router in written["routers"].values()]
    assert [rule["match"] for rule in route["spec"]["routes"]] == rules
    for rule, router in zip(route["spec"]["routes"], written["routers"].values(), strict=True):
        assert [used["name"] for used in rule["middlewares"]] == router["middlewares"]
        sticky = written["services"]["streamlit"]["loadBalancer"].get("sticky")
        assert rule["services"][0].get("sticky") == sticky
