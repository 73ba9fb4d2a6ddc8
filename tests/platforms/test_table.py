"""Every platform is recognised from its environment, and from nothing that only resembles it."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stlaunch.forwarded import TrustedProxies
from stlaunch.launcher.streamlit_options import streamlit_options
from stlaunch.platforms import Placement, detect_platforms, place
from stlaunch.platforms.advice import findings_about, platform_switches, trusted_by_default
from stlaunch.platforms.model import Certainty, Fact, Layer, Platform
from stlaunch.platforms.table import PLATFORMS
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.read import read_settings
from stlaunch.settings.resolve import resolve_settings
from stlaunch.urls import streamlit_defaults
from tests.platforms.samples import SAMPLES, Sample

GOLDEN = Path(__file__).parent / "plans.json"
NAMES = [platform.name for platform in PLATFORMS]
BEHIND_SHARED_ADDRESSES = {"azure-container-apps", "railway"}


def found_in(environ: dict[str, str], files: tuple[str, ...] = ()) -> list[str]:
    return [hit.platform.name for hit in detect_platforms(environ, set(files).__contains__)]


def placed(
    environ: dict[str, str], files: tuple[str, ...] = (), *, port: int | None = None
) -> Placement:
    hits = detect_platforms(environ, set(files).__contains__)
    return place(hits, environ, port=port, default_port=streamlit_defaults.PORT)


def facts_of(platform: Platform) -> dict[str, Fact[Any]]:
    values = {found.name: getattr(platform, found.name) for found in fields(platform)}
    return {name: value for name, value in values.items() if isinstance(value, Fact)}


def test_at_least_thirty_platforms_each_with_a_sample() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 30
    assert set(SAMPLES) == set(NAMES)


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_every_fact_has_its_source(platform: Platform) -> None:
    for name, fact in [*facts_of(platform).items(), *(("sign", sign) for sign in platform.signs)]:
        is_recalled = fact.certainty is Certainty.MEMORY
        assert (fact.source == "memory") == is_recalled, name
        assert fact.source, name
    assert platform.hint == "" or platform.hint.endswith(".")


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_no_platform_is_trusted_beyond_loopback_and_private_peers(platform: Platform) -> None:
    placement = placed(SAMPLES[platform.name].environ, SAMPLES[platform.name].files)

    trusted = trusted_by_default(placement)

    is_shared = platform.name in BEHIND_SHARED_ADDRESSES
    others = ["100.64.0.0/10"] if is_shared else []
    widest = TrustedProxies.default(in_container=True, others=others)
    for network in trusted.networks:
        assert any(
            network.subnet_of(allowed)  # type: ignore[arg-type]
            for allowed in widest.networks
            if allowed.version == network.version
        )
    assert "203.0.113.7" not in trusted
    assert ("100.64.0.3" in trusted) is is_shared
    assert not any(ipaddress.ip_network("0.0.0.0/0") == network for network in trusted.networks)


@pytest.mark.parametrize("name", NAMES)
def test_recognised_from_its_own_environment(name: str) -> None:
    sample = SAMPLES[name]
    assert found_in(sample.environ, sample.files) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_not_recognised_from_a_near_miss(name: str) -> None:
    sample = SAMPLES[name]
    assert name not in found_in(sample.near, sample.near_files)


@pytest.mark.parametrize("name", NAMES)
def test_the_address_of_a_kubernetes_service_is_no_sign(name: str) -> None:
    sample = SAMPLES[name]
    services = dict.fromkeys(sample.environ, "tcp://10.0.0.1:80")
    assert name not in found_in(services) or not sample.environ


NESTED = [
    ("code-server", "coder", "kubernetes", "docker"),
    ("code-server", "jupyterhub"),
    ("codespaces", "docker"),
    ("kubeflow", "kubernetes", "container"),
    ("jupyter-terminal", "kubernetes", "docker"),
    ("jupyterhub", "kubernetes"),
    ("shinyproxy", "docker"),
    ("sagemaker-jupyterlab", "docker"),
    ("renku", "kubernetes"),
    ("huggingface", "kubernetes"),
    ("cloud-run", "container"),
    ("azure-container-apps", "kubernetes"),
    ("coolify", "docker"),
    ("nginx-proxy", "docker"),
    ("home-assistant", "docker"),
    ("kubernetes", "docker"),
]


@pytest.mark.parametrize("names", NESTED, ids="-in-".join)
def test_nested_platforms_are_all_kept_and_the_innermost_decides(names: tuple[str, ...]) -> None:
    environ: dict[str, str] = {}
    for name in reversed(names):
        environ |= SAMPLES[name].environ
    files = tuple(file for name in names for file in SAMPLES[name].files)

    placement = placed(environ, files)
    alone = placed(SAMPLES[names[0]].environ, SAMPLES[names[0]].files)

    assert [hit.platform.name for hit in placement.hits] == list(names)
    assert placement.nearest is not None
    assert placement.nearest.name == names[0]
    assert placement.base_paths == alone.base_paths
    assert placement.public_url == alone.public_url
    assert placement.port == alone.port


def test_the_order_is_that_of_the_layers() -> None:
    order = [list(Layer).index(platform.layer) for platform in PLATFORMS]
    assert order == sorted(order)


def test_what_is_from_memory_decides_nothing() -> None:
    """AWS Cloud9 is known from memory: it is shown, and the plan is that of a plain machine."""
    placement = placed(SAMPLES["cloud9"].environ)

    assert [hit.platform.name for hit in placement.hits] == ["cloud9"]
    assert placement.nearest is None
    assert placement == Placement(hits=placement.hits)
    assert [found.code for found in findings_about(placement, {})] == ["STL907"]


def test_a_fact_from_memory_of_a_known_platform_decides_nothing() -> None:
    """Kubeflow's port 8888 is known from memory, its path from the source."""
    placement = placed(SAMPLES["kubeflow"].environ)

    assert placement.port is None
    assert placement.base_paths is not None


# --- the resulting plans


def plan_of(sample: Sample) -> dict[str, Any]:
    """Return what `stlaunch app.py` with no option would do there."""
    settings = resolve_settings(
        read_settings(values={}, environ=sample.environ, project={}),
        hits=detect_platforms(sample.environ, set(sample.files).__contains__),
        environ=sample.environ,
    )
    placement = settings.placement
    sources = {field.name: getattr(settings, field.name).where for field in FIELDS}
    switched_off = platform_switches(placement, sample.environ)
    findings = findings_about(placement, sample.environ, switched_off=switched_off)
    return {
        "options": streamlit_options(settings, {}, takes_base_path=True),
        "public_paths": [path.with_slash for path in settings.public_paths],
        "mount_paths": [path.with_slash for path in settings.mount_path.value],
        "is_path_found_out": settings.is_behind_proxy and not settings.public_paths,
        "public_url": str(settings.public_url.value) if settings.public_url.value else None,
        "trusted": str(settings.trusted_proxies.value),
        "embedded": bool(settings.embed_in.value),
        "sources": {name: where for name, where in sources.items() if where != "default"},
        "findings": [f"{found.code} {found.title}" for found in findings],
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_the_golden_one(name: str) -> None:
    """Rewritten by `python -m tests.platforms.test_table`, and read as a diff."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert plan_of(SAMPLES[name]) == golden[name]


def main() -> None:
    """Write the golden plans."""
    plans = {name: plan_of(SAMPLES[name]) for name in NAMES}
    GOLDEN.write_text(json.dumps(plans, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
