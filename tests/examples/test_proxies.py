"""The proxies' example files, run as their comments say, hand on pages and the WebSocket."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.examples.client import get, open_app
from tests.harness.ports import free_port
from tests.harness.proxies import proxy_binary
from tests.harness.server import RunningServer, start_server, stlaunch_app

pytestmark = pytest.mark.proxy

EXAMPLES = REPOSITORY / "examples"
BASE = "/streamlitApp/"


@pytest.fixture(scope="module")
def app(hello_app: Path) -> Iterator[RunningServer]:
    with stlaunch_app(
        hello_app, free_port(), "--behind-proxy", "/streamlitApp", "--prefix", "both"
    ) as server:
        yield server


def copied(folder: Path, app_port: int, port: int, *names: str) -> list[Path]:
    """Copy example files, with the ports of this test in place of the usual ones."""
    files = []
    for name in names:
        source = EXAMPLES / name
        text = source.read_text().replace("127.0.0.1:8501", f"127.0.0.1:{app_port}")
        files.append(folder / source.name)
        files[-1].write_text(text.replace(":8080", f":{port}"))
    return files


def visit(args: list[str | Path], folder: Path, port: int) -> None:
    ready = f"{BASE}_stlaunch/health"
    with start_server([str(arg) for arg in args], cwd=folder, ready_path=ready, port=port):
        open_app(port, BASE, "Hello from Streamlit")
        status, headers, _ = get(port, BASE.rstrip("/"))

    # Caddy and Traefik leave the missing slash to stlaunch, nginx adds it; nobody names a host.
    assert status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT}
    assert headers["location"] in {BASE, "streamlitApp/"}


@pytest.mark.parametrize("kind", ["nginx", "nginx-1.22"])
def test_nginx(app: RunningServer, tmp_path: Path, kind: str) -> None:
    port = free_port()
    (config,) = copied(tmp_path, app.port, port, "nginx/nginx.conf")
    if kind == "nginx-1.22":  # Debian's
        config.write_text(config.read_text().replace("# fast", "fast").replace("# scgi", "scgi"))
        config.write_text(config.read_text().replace("# uwsgi", "uwsgi"))

    visit([proxy_binary(kind), "-p", tmp_path, "-c", config, "-e", "stderr"], tmp_path, port)


def test_caddy(app: RunningServer, tmp_path: Path) -> None:
    port = free_port()
    copied(tmp_path, app.port, port, "caddy/Caddyfile")

    visit([proxy_binary("caddy"), "run"], tmp_path, port)


def test_traefik(app: RunningServer, tmp_path: Path) -> None:
    port = free_port()
    copied(tmp_path, app.port, port, "traefik/traefik.yml", "traefik/dynamic.yml")

    visit([proxy_binary("traefik"), "--configFile=traefik.yml"], tmp_path, port)


def test_nginx_of_the_compose_file(app: RunningServer, tmp_path: Path) -> None:
    """The file that compose.yaml mounts, inside an `http` block like the official image's."""
    port = free_port()
    shutil.copy(EXAMPLES / "docker" / "nginx.conf", tmp_path / "default.conf")
    included = tmp_path / "default.conf"
    text = included.read_text()
    assert "listen 80;" in text
    assert "http://app:8501;" in text
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    included.write_text(text.replace("//app:8501;", f"//127.0.0.1:{app.port};"))
    outer = tmp_path / "nginx.conf"
    outer.write_text(
        "daemon off; pid nginx.pid; error_log stderr; events {}\n"
        "http { access_log off; client_body_temp_path body; proxy_temp_path proxy;\n"
        f"include {included}; }}\n"
    )

    visit([proxy_binary("nginx"), "-p", tmp_path, "-c", outer, "-e", "stderr"], tmp_path, port)
