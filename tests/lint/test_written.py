"""What stlaunch itself writes, in every kind and form, is recognised and has no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.cli.deploy import make_deployment
from stlaunch.deploy import DeployKind, render
from stlaunch.errors import ExitCode
from stlaunch.lint import App, lint_file
from stlaunch.lint.verdict import exit_code
from stlaunch.proxies.demo_plan import plan_proxy
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxySetup, ProxySite
from stlaunch.proxies.starting import start_of, startable
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
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


DEMO = [(one, ProxySetup.RECOMMENDED) for one in startable()]
DEMO += [(one, setup) for one in startable() for setup in start_of(one).broken]


@pytest.mark.process
@pytest.mark.parametrize("keep_prefix", [True, False], ids=["kept", "stripped"])
@pytest.mark.parametrize(("product", "setup"), DEMO)
def test_the_demo_shows_what_is_written_or_what_is_left_of_it(
    product: Product, setup: ProxySetup, *, keep_prefix: bool, tmp_path: Path
) -> None:
    """Only the set-ups that are there for their fault have one, and every line is a written one."""
    site = ProxySite(
        listen=HostPort("127.0.0.1", 8080),
        upstream=HostPort("127.0.0.1", 8501),
        base_path=BasePath("/streamlitApp"),
        keep_prefix=keep_prefix,
    )
    plan = plan_proxy(product, setup, site)
    path = tmp_path / plan.config_name
    path.write_text(plan.config_text)
    report = lint_file(path, App())
    codes = {finding.code for finding in report.findings}

    assert report.routes
    match setup:
        case ProxySetup.RECOMMENDED:
            assert codes == set()
        case ProxySetup.BLOG:
            assert "STL301" in codes
        case ProxySetup.THREE_LINES:
            assert "STL301" not in codes
            assert "STL502" in codes or "STL501" in codes
