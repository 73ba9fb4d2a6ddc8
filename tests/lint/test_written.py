"""What stlaunch itself writes, in every kind and form, is recognised and has no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.cli.deploy import make_deployment
from stlaunch.deploy import DeployKind, render
from stlaunch.errors import ExitCode
from stlaunch.lint import App, lint_file
from stlaunch.lint.verdict import exit_code
from tests.proxies.golden import texts

NAMES = {"azure-gateway": "gateway.bicep", "caddy": "Caddyfile", "iis": "web.config"}
YAML = {
    "aws-alb",
    "cloudflare",
    "envoy",
    "gateway-api",
    "ingress",
    "openshift",
    "traefik",
    "traefik-docker",
    "traefik-kubernetes",
}
WRITTEN = texts()


def name_of(kind: str) -> str:
    """Return the name that such a file usually has."""
    return NAMES.get(kind, "config.yaml" if kind in YAML else "site.conf")


@pytest.mark.process
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "by-content"])
def test_proxy_configuration_is_recognised_and_clean(
    name: str, is_named: bool, tmp_path: Path
) -> None:
    """Also by what it says alone, as in `> /tmp/new.txt`; a part for a gateway has no route."""
    kind, form, _ = name.rsplit(".", 2)
    path = tmp_path / (name_of(kind) if is_named else "new.txt")
    path.write_text(WRITTEN[name])
    report = lint_file(path, App(has_login=form == "login"))

    assert report.findings == []
    assert exit_code(report, is_strict=True) is ExitCode.OK
    assert bool(report.routes) or (kind, form) == ("azure-gateway", "snippet")


@pytest.mark.parametrize("kind", list(DeployKind))
@pytest.mark.parametrize("replicas", [1, 3])
def test_deployment_is_recognised_and_clean(
    kind: DeployKind, replicas: int, tmp_path: Path
) -> None:
    (tmp_path / "app.py").touch()
    deployment = make_deployment(
        "app.py",
        behind_proxy="https://example.com/app",
        name=None,
        image=None,
        replicas=replicas,
        cwd=tmp_path,
    )
    for file in render(kind, deployment):
        path = tmp_path / file.name
        path.write_text(file.text)
        report = lint_file(path, App())

        assert report.findings == [], path.name
        assert exit_code(report, is_strict=True) is ExitCode.OK, path.name
        has_route = kind in {DeployKind.COMPOSE, DeployKind.KUBERNETES}
        assert bool(report.routes) == has_route, path.name
