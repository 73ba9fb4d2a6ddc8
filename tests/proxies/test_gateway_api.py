"""What the two HTTPRoutes of stlaunch have in common, and which paths are closed; AWS's as well."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from stlaunch.deploy import DeployKind, render
from stlaunch.proxies.app_facts import AppFacts
from stlaunch.proxies.configuration import KINDS, generate
from stlaunch.proxies.site_options import Asked, plan_site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS
from tests.deploy.golden import make_deployment

KIND = KINDS["gateway-api"]
URL = "https://example.com/app"

Objects = dict[str, dict[str, Any]]


def by_kind(text: str) -> Objects:
    return {item["kind"]: item for item in yaml.safe_load_all(text)}


@pytest.fixture
def written() -> Objects:
    return by_kind(generate(KIND, plan_site(KIND, Asked(public_url=URL), AppFacts())).text)


@pytest.fixture
def deployed() -> Objects:
    (file,) = render(DeployKind.KUBERNETES, make_deployment())
    return by_kind(file.text)


def test_both_say_that_the_app_speaks_websocket(written: Objects, deployed: Objects) -> None:
    ports = [found["Service"]["spec"]["ports"][0] for found in (written, deployed)]

    assert [port["appProtocol"] for port in ports] == ["kubernetes.io/ws"] * 2


def test_both_have_no_limit_of_a_request(written: Objects, deployed: Objects) -> None:
    rules = [found["HTTPRoute"]["spec"]["rules"][0] for found in (written, deployed)]

    assert [rule["timeouts"] for rule in rules] == [{"request": "0s"}] * 2


def matches(path: str, conditions: Sequence[Mapping[str, Any]]) -> bool:
    """Match as Gateway API says: exactly, or element by element."""
    return any(
        path == match["path"]["value"]
        or (
            match["path"]["type"] == "PathPrefix"
            and path.startswith(f"{match['path']['value'].rstrip('/')}/")
        )
        for match in conditions
    )


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "path", ["_stlaunch", "_stcore/metrics", *(f"_stlaunch/{name}" for name in DIAGNOSTICS)]
)
def test_a_diagnostic_page_is_closed_with_and_without_its_slash(
    path: str, slash: str, written: Objects
) -> None:
    (closed,) = [
        rule["matches"]
        for rule in written["HTTPRoute"]["spec"]["rules"]
        if any("_stlaunch" in match["path"]["value"] for match in rule["matches"])
    ]

    assert matches(f"/app/{path}{slash}", closed)
    assert not matches("/app/_stlaunch/page.js", closed)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "path", ["_stlaunch", "_stcore/metrics", *(f"_stlaunch/{name}" for name in DIAGNOSTICS)]
)
def test_a_load_balancer_of_aws_closes_the_same(path: str, slash: str) -> None:
    """Its patterns know `*`; a rule takes five of them."""
    kind = KINDS["aws-alb"]
    text = generate(kind, plan_site(kind, Asked(public_url=URL), AppFacts())).text
    rules = [
        re.findall(r'"(/app/_st[^"]*)"', line) for line in text.splitlines() if "Values: [" in line
    ]
    patterns = [pattern for rule in rules for pattern in rule]

    assert any(fnmatchcase(f"/app/{path}{slash}", pattern) for pattern in patterns)
    assert not any(fnmatchcase("/app/_stlaunch/page.js", pattern) for pattern in patterns)
    assert max(map(len, rules)) <= 5
