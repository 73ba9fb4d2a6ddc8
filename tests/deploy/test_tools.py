"""What `stlaunch deploy` writes, put before the tools and schemas of its platforms.

Each of them is also shown something wrong, so that its silence means something.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from stlaunch.deploy import DeployKind, render, write_files
from stlaunch.proxies.haproxy.balancer import render_compose
from stlaunch.proxies.needs import Product
from stlaunch.proxies.starting import find_binary
from tests.deploy.golden import files, make_deployment

GATEWAY_API = "@kubernetes-models/gateway-api@2.0.0"
GATEWAY_SCRIPT = """
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import { readFileSync } from "node:fs";
for (const route of JSON.parse(readFileSync(0))) {
  try { new HTTPRoute(route).validate(); console.log("ok"); }
  catch (error) { console.log(error.message); }
}
"""


def run(*words: str | Path, cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    program = shutil.which(words[0], path=f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin")
    program = program or shutil.which(words[0])
    if program is None:
        pytest.fail(f"{words[0]} is missing; .ci/run installs it")
    return subprocess.run(
        [program, *words[1:]],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


# --- systemd


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units of an app and a program that really exist, in a folder with a blank in it."""
    folder = tmp_path / "my app"
    folder.mkdir()
    (folder / "app.py").touch()
    program = str(Path(sys.executable).with_name("stlaunch"))
    deployment = make_deployment(folder=str(folder), program=program)
    write_files(render(DeployKind.SYSTEMD, deployment), tmp_path, force=False)
    return tmp_path


def verify(folder: Path, *names: str) -> tuple[int, str]:
    done = run(
        "systemd-analyze", "verify", "--man=no", *(f"./{name}" for name in names), cwd=folder
    )
    return done.returncode, done.stdout + done.stderr


def test_systemd_takes_the_units(units: Path) -> None:
    assert verify(units, "hello.service", "hello@1.service", "hello.target") == (0, "")


def test_systemd_would_complain(units: Path) -> None:
    unit = units / "hello.service"
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=bogus\nFoo=1"))

    assert re.search(r"Foo.*\n.*bogus|bogus.*\n.*Foo", verify(units, "hello.service")[1])


def test_units_are_hardened(units: Path) -> None:
    """Systemd's own rating: 10 is exposed, below 2.5 is what few services reach."""
    for name in ("hello.service", "hello@.service"):
        done = run("systemd-analyze", "security", "--offline=true", f"./{name}", cwd=units)
        rating = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert rating, done.stdout + done.stderr
        assert float(rating[1]) < 2.5


# --- Docker


def test_hadolint_takes_the_dockerfile(tmp_path: Path) -> None:
    for has_requirements in (True, False):
        deployment = make_deployment(has_requirements=has_requirements)
        dockerfile, _ = render(DeployKind.DOCKERFILE, deployment)
        done = run("hadolint", "--no-color", "-", cwd=tmp_path, text=dockerfile.text)
        assert (done.returncode, done.stdout) == (0, "")

    done = run("hadolint", "--no-color", "-", cwd=tmp_path, text="FROM python\nRUN cd /x\n")
    assert done.returncode == 1
    assert "DL3006" in done.stdout


# --- Compose


def test_compose_takes_the_file() -> None:
    (file,) = files(DeployKind.COMPOSE)
    parsed = PyCompose.from_yaml(file.text).to_dict()

    assert sorted(parsed["services"]) == ["app", "balancer"]
    assert parsed["services"]["app"]["deploy"]["replicas"] == 3
    with pytest.raises(ValueError, match="read_onli"):
        PyCompose.from_yaml(file.text.replace("read_only", "read_onli"))


def test_haproxy_takes_the_balancer_in_it(tmp_path: Path) -> None:
    """What Compose hands to HAProxy, its escaping undone, is what was rendered and is valid."""
    (file,), deployment = files(DeployKind.COMPOSE), make_deployment()
    content = yaml.safe_load(file.text)["configs"]["balancer"]["content"].replace("$$", "$")
    assert content == render_compose(
        name=deployment.name, replicas=deployment.replicas, port=deployment.port
    )
    (tmp_path / "haproxy.cfg").write_text(content)

    done = run(find_binary(Product.HAPROXY), "-c", "-f", "haproxy.cfg", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


# --- Kubernetes


def objects() -> list[dict[str, object]]:
    (file,) = files(DeployKind.KUBERNETES)
    return list(yaml.safe_load_all(file.text))


def test_kubernetes_schemas_take_the_objects() -> None:
    """Strict: an unknown key is an error. The oldest supported and the newest version."""
    import kubernetes_validate  # seconds to import: not while tests are collected

    built_in = [item for item in objects() if item["kind"] != "HTTPRoute"]
    kinds = ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"]
    assert [item["kind"] for item in built_in] == kinds
    for version in ("1.35", "1.37"):
        for item in built_in:
            kubernetes_validate.validate(item, version, strict=True)

    deployment = built_in[0]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, "1.37", strict=True)


def test_gateway_api_schema_takes_the_route(tmp_path: Path) -> None:
    install = ("npm", "install", "--silent", "--no-audit", "--no-fund", GATEWAY_API)
    done = run(*install, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "check.mjs").write_text(GATEWAY_SCRIPT)
    (route,) = [item for item in objects() if item["kind"] == "HTTPRoute"]
    wrong = json.loads(json.dumps(route).replace('"Cookie"', '"Biscuit"'))

    done = run("node", "check.mjs", cwd=tmp_path, text=json.dumps([route, wrong]))

    first, *rest = done.stdout.splitlines()
    assert first == "ok", done.stdout + done.stderr
    assert "sessionPersistence/type must be equal to one of the allowed values" in "".join(rest)


def test_pods_fit_together() -> None:
    """Names, labels, ports and times of the objects agree with each other."""
    deployment, service, autoscaler, budget, route = objects()
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"].items()

    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels
    assert service["spec"]["selector"].items() <= labels
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert backend == {"name": service["metadata"]["name"], "port": 80}
    pre_stop_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] > pre_stop_s + make_deployment().drain_s
