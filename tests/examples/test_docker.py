"""The Dockerfile: its instructions are read, and what it starts is started.

There is no Docker engine where these tests run, so no image is built: ENTRYPOINT, CMD and
HEALTHCHECK run as ordinary processes, with the image's environment and, started by root, with
its user id. This Python may lie in root's home, so that user gets leave to read, never to write.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.examples.client import open_app
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, start_server

FOLDER = REPOSITORY / "examples" / "docker"


def instructions() -> list[tuple[str, str]]:
    """Return (name, rest) of each instruction, continued lines joined."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [
        (line.partition(" ")[0], " ".join(line.partition(" ")[2].split()))
        for line in lines
        if line and not line.startswith("#")
    ]


def last(name: str) -> str:
    return [rest for word, rest in instructions() if word == name][-1]


def image_command() -> list[str]:
    return [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]


def image_process(command: list[str]) -> list[str]:
    """As the image's user, with the stlaunch of this environment."""
    return [*become(int(last("USER"))), str(Path(sys.executable).parent / command[0]), *command[1:]]


def become(user: int) -> list[str]:
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    ids = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *ids, *reading] if os.getuid() == 0 else []


@pytest.fixture
def workdir() -> Iterator[Path]:
    """What WORKDIR holds in the image; its user may only read it, as files of a COPY."""
    with tempfile.TemporaryDirectory(prefix="stlaunch-docker-") as folder:
        Path(folder).chmod(0o755)
        shutil.copy(FOLDER / "app.py", folder)
        yield Path(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    """The folder that `useradd --create-home` makes."""
    with tempfile.TemporaryDirectory(prefix="stlaunch-home-") as folder:
        if os.getuid() == 0:
            os.chown(folder, int(last("USER")), int(last("USER")))
        yield Path(folder)


@pytest.fixture
def container(workdir: Path, home: Path) -> Iterator[RunningServer]:
    """The image's command, on another port and on loopback alone."""
    port = free_port()
    with start_server(
        image_process(image_command()),
        cwd=workdir,
        env={"HOME": str(home), "STLAUNCH_HOST": "127.0.0.1", "STLAUNCH_PORT": str(port)}
        | dict([last("ENV").split("=")]),
        ready_path="/_stlaunch/health",
        port=port,
    ) as server:
        yield server


def test_image_starts_stlaunch_as_an_ordinary_user() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["stlaunch"]
    assert json.loads(last("CMD")) == ["app.py", "--behind-proxy", "/streamlitApp"]
    assert int(last("USER")) > 0
    assert last("FROM").endswith("-slim")


def test_image_copies_what_the_checkout_has() -> None:
    """Every COPY from the checkout exists there, and is let in by the ignore file."""
    ignore = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignore[0] == "*"
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                found = REPOSITORY / source.removeprefix("./")
                assert found.exists()
                assert f"!{found.relative_to(REPOSITORY)}" in ignore


def test_image_listens_on_all_interfaces(workdir: Path) -> None:
    """Published ports reach a container on its outer address, never on its loopback."""
    entrypoint, *rest = image_command()
    done = subprocess.run(
        [Path(sys.executable).parent / entrypoint, *rest, "--dry-run", "--json"],
        cwd=workdir,
        env={"PATH": os.defpath, "container": "docker", "HOME": str(workdir)},
        check=True,
        capture_output=True,
    )
    plan = json.loads(done.stdout)

    assert plan["listen"] == {"host": "0.0.0.0", "port": 8501, "uds": None}
    assert plan["base_paths"] == ["/streamlitApp/"]
    assert "private" in plan["trusted_proxies"]


def test_image_serves_the_app(container: RunningServer) -> None:
    open_app(container.port, "/streamlitApp/", "In a container")

    assert Path(f"/proc/{container.pid}").stat().st_uid in {int(last("USER")), os.getuid() or -1}


def test_image_health_check_distinguishes_alive_from_dead(
    container: RunningServer, home: Path
) -> None:
    # An image's outgoing proxy is not in the way, and the port is found; of the dead one the
    # default is asked, where nothing of this test listens.
    environ = {"PATH": os.defpath, "HOME": str(home), "http_proxy": "http://127.0.0.1:1"}
    environ["STLAUNCH_PORT"] = str(free_port())
    command = image_process(json.loads(last("HEALTHCHECK").partition("CMD ")[2]))
    alive = subprocess.run(command, env=environ, capture_output=True, check=False)
    container.terminate()
    dead = subprocess.run(command, env=environ, capture_output=True, check=False)

    assert (alive.returncode, dead.returncode) == (0, 1), alive.stderr


def test_image_stops_cleanly_on_sigterm(container: RunningServer) -> None:
    assert container.terminate() == 0


def test_compose_file_names_what_is_there() -> None:
    """Read as text: the files, and the host name and port that nginx.conf has for the app."""
    text = (FOLDER / "compose.yaml").read_text()

    assert (FOLDER / "../..").resolve() == REPOSITORY
    for needed in (
        "\n  app:\n",
        "context: ../..\n",
        "dockerfile: examples/docker/Dockerfile\n",
        "./nginx.conf:/etc/nginx/nginx.conf:ro\n",
        "condition: service_healthy\n",
        '"127.0.0.1:8080:80"\n',
    ):
        assert needed in text
    assert "proxy_pass http://app:8501;" in (FOLDER / "nginx.conf").read_text()
