"""Traefik: rules and middlewares that leave nothing of a path, in its file and in labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file

DYNAMIC = """\
http:
  routers:
ROUTERS
  middlewares:
    rewrite: { replacePath: { path: / } }
    all: { chain: { middlewares: [rewrite] } }
    other: { headers: { stsSeconds: 1 } }
  services:
    streamlit:
      loadBalancer: { servers: [{ url: "http://127.0.0.1:8501" }] }
"""
COMPOSE = """\
services:
  streamlit:
    image: app
    labels:
LABELS
      - traefik.http.middlewares.rewrite.replacepath.path=/
      - traefik.http.services.app.loadbalancer.server.port=8501
"""
RULES = [
    pytest.param([("Host(`a.test`)", "other")], [], id="host"),
    pytest.param([("Host(`a.test`) && Path(`/app`)", "other")], ["STL316"], id="exact"),
    pytest.param([("Path(`/app`)", "other"), ("PathPrefix(`/app/`)", "other")], [], id="both"),
    pytest.param([("Path(`/_stcore/health`)", "other")], [], id="part"),
    pytest.param([("Path(`/app/{rest:.*}`)", "other")], [], id="pattern"),
    pytest.param([("PathPrefix(`/app`)", "rewrite")], ["STL316"], id="replaced"),
    pytest.param([("Path(`/healthz`)", "rewrite")], [], id="replaced-part"),
    pytest.param([("Path(`/alive`)", "rewrite"), ("Host(`a`)", "other")], [], id="replaced-one"),
]


def codes(folder: Path, text: str) -> list[str]:
    """Return the findings in one file."""
    path = folder / "app.yaml"
    path.write_text(text)
    report = lint_file(path, App())

    assert report.routes
    return sorted(finding.code for finding in report.findings)


def dynamic(rules: list[tuple[str, str]]) -> str:
    """Return a dynamic file with routers, each with a rule and a middleware."""
    routers = [
        f"    r{number}: {{ rule: '{rule}', middlewares: [{middleware}], service: streamlit }}"
        for number, (rule, middleware) in enumerate(rules)
    ]
    return DYNAMIC.replace("ROUTERS", "\n".join(routers))


@pytest.mark.parametrize(("rules", "expected"), RULES)
def test_path_is_kept_by_a_dynamic_file(
    tmp_path: Path, rules: list[tuple[str, str]], expected: list[str]
) -> None:
    assert codes(tmp_path, dynamic(rules)) == expected


@pytest.mark.parametrize(("rules", "expected"), RULES)
def test_path_is_kept_by_labels(
    tmp_path: Path, rules: list[tuple[str, str]], expected: list[str]
) -> None:
    labels = [
        f"      - traefik.http.routers.r{number}.{key}"
        for number, (rule, middleware) in enumerate(rules)
        for key in (f"rule={rule}", f"middlewares={middleware}")
    ]

    assert codes(tmp_path, COMPOSE.replace("LABELS", "\n".join(labels))) == expected


def test_label_without_a_rule_takes_the_whole_host(tmp_path: Path) -> None:
    labels = [
        "      - traefik.http.routers.one.rule=Path(`/app`)",
        "      - traefik.http.routers.two.entrypoints=web",
        "      - traefik.http.routers.two.middlewares=other",
    ]

    assert codes(tmp_path, COMPOSE.replace("LABELS", "\n".join(labels))) == []


def test_replaced_path_of_a_wide_router_counts_in_a_chain(tmp_path: Path) -> None:
    rules = [("Path(`/alive`)", "rewrite"), ("Host(`a.test`)", "all")]

    assert codes(tmp_path, dynamic(rules)) == ["STL316"]


def test_exact_rule_has_a_fix_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "app.yaml"
    label = "      - traefik.http.routers.one.rule=Host(`a.test`) && Path(`/app`)"
    fixes = []
    for text in (dynamic([("Path(`/app`)", "other")]), COMPOSE.replace("LABELS", label)):
        path.write_text(text)
        fixes += [(one.code, one.fix) for one in lint_file(path, App()).findings]

    assert fixes == [("STL316", "write PathPrefix(`/app`) in the rule")] * 2
