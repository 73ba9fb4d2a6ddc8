"""`stlaunch app.py` with nothing but a port, behind the proxies of notebooks and web IDEs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.browser import Visit
from tests.harness.journeys import smoke
from tests.harness.node import (
    NodeModules,
    code_server_like,
    configurable_http_proxy,
    install_node_modules,
)
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, start_server
from tests.harness.site import read_report

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

BASE = "/user/ann/"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> NodeModules:
    return install_node_modules(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def jupyter() -> Iterator[RunningServer]:
    """A Jupyter server with jupyter-server-proxy, as a Hub starts it for a user."""
    port = free_port()
    with start_server(
        [
            *(sys.executable, "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1"),
            *(f"--ServerApp.port={port}", f"--ServerApp.base_url={BASE}", "--allow-root"),
            *("--IdentityProvider.token=", "--ServerApp.password=", "--no-browser"),
            "--ServerApp.port_retries=0",
        ],
        cwd=Path.cwd(),
        ready_path=f"{BASE}api",
        port=port,
    ) as server:
        yield server


@contextmanager
def _app(script: Path, environ: dict[str, str], *words: str) -> Iterator[RunningServer]:
    port = free_port()
    with start_server(
        [sys.executable, "-m", "stlaunch", script.name, "--port", str(port), *words],
        cwd=script.parent,
        env=environ,
        ready_path="/_stlaunch/health",
        port=port,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def in_terminal(jupyter: RunningServer, hello_app: Path) -> Iterator[RunningServer]:
    """The app, started in a terminal of that Jupyter server."""
    environ = {"JUPYTER_SERVER_URL": f"{jupyter.url}{BASE[1:]}", "JUPYTER_SERVER_ROOT": "/"}
    with _app(hello_app, environ) as server:
        yield server


@pytest.mark.parametrize("path", ["proxy", "proxy/absolute"], ids=["stripped", "kept"])
def test_jupyter_server_proxy(
    visit: Visit, jupyter: RunningServer, in_terminal: RunningServer, path: str
) -> None:
    """Both of its addresses lead to a working app, with a real WebSocket."""
    url = f"{jupyter.url}{BASE[1:]}{path}/{in_terminal.port}/"

    smoke(visit, url)

    report = read_report(url)
    assert report["handshakes"]["intact"] > 0
    assert report["handshakes"]["by_transport"].get("http", 0) == 0
    modes = {lesson["base_path"]: lesson["mode"] for lesson in report["learned"]}
    mode = "kept" if path.endswith("absolute") else "stripped"
    assert modes[f"{BASE}{path}/{in_terminal.port}"] == mode


def test_the_apps_own_port_works_in_a_terminal_too(
    visit: Visit, in_terminal: RunningServer
) -> None:
    """Many run Jupyter on their own machine, and open the app directly."""
    smoke(visit, in_terminal.url)


def test_jupyter_server_proxy_is_named_by_its_headers(
    visit: Visit, jupyter: RunningServer, in_terminal: RunningServer
) -> None:
    """What the first requests reveal is in the log, once, and in the report."""
    url = f"{jupyter.url}{BASE[1:]}proxy/{in_terminal.port}/"
    visit.page.goto(url)
    visit.page.reload()

    log = in_terminal.wait_for_log(f"proxy/{in_terminal.port}/ through jupyter-server-proxy")

    learned = read_report(url)["learned"]
    assert any(lesson["proxies"] == ["jupyter-server-proxy"] for lesson in learned)
    assert log.count(f"proxy/{in_terminal.port}/ through jupyter-server-proxy") == 1


def test_jupyter_server_proxy_standalone(visit: Visit, hello_app: Path) -> None:
    """Its standalone mode starts the app itself, with a port of its own choice."""
    port = free_port()
    with start_server(
        [
            *(Path(sys.executable).with_name("jupyter-standaloneproxy"), "--port", str(port)),
            *("--address", "127.0.0.1", "--base-url", "/user/ann", "--no-authentication", "--"),
            *(sys.executable, "-m", "stlaunch", hello_app.name, "--port", "{port}"),
        ],
        cwd=hello_app.parent,
        env={
            "JUPYTERHUB_SERVICE_PREFIX": BASE,
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}{BASE}",
        },
        ready_path=f"{BASE}_stlaunch/health",
        port=port,
    ) as server:
        smoke(visit, f"{server.url}{BASE[1:]}")


@pytest.mark.parametrize("path", ["proxy", "absproxy"], ids=["stripped", "kept"])
def test_code_server(visit: Visit, modules: NodeModules, hello_app: Path, path: str) -> None:
    """A proxy without a single forwarding header; code-server's terminals reveal its address."""
    with code_server_like(modules) as proxy:
        environ = {"VSCODE_PROXY_URI": f"{proxy.url}proxy/{{{{port}}}}/", "PORT": str(proxy.port)}
        with _app(hello_app, environ) as server:
            url = f"{proxy.url}{path}/{server.port}/"
            smoke(visit, url)
            assert read_report(url)["handshakes"]["by_transport"].get("http", 0) == 0


def test_code_server_with_a_relative_address(
    visit: Visit, modules: NodeModules, hello_app: Path
) -> None:
    """`./proxy/{{port}}` does not say what is in front of it: that is detected."""
    with (
        code_server_like(modules) as proxy,
        _app(hello_app, {"VSCODE_PROXY_URI": "./proxy/{{port}}"}) as server,
    ):
        smoke(visit, f"{proxy.url}proxy/{server.port}/")


def test_jupyterhub_with_its_own_proxy(visit: Visit, modules: NodeModules, hello_app: Path) -> None:
    """The app is the user's server: port, address and path come from the Hub's variables."""
    port = free_port()
    environ = {
        "JUPYTERHUB_API_TOKEN": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "JUPYTERHUB_SERVICE_PREFIX": BASE,
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}{BASE}",
    }
    with (
        start_server(
            [sys.executable, "-m", "stlaunch", hello_app.name],
            cwd=hello_app.parent,
            env=environ,
            ready_path=f"{BASE}_stlaunch/health",
            port=port,
        ) as server,
        configurable_http_proxy(modules, port, "/user/ann") as proxy,
    ):
        smoke(visit, f"{proxy.url}{BASE[1:]}")
        report = read_report(f"{proxy.url}{BASE[1:]}")

        assert report["base_path"]["mode"] == "kept"
        assert report["handshakes"]["intact"] > 0
        assert environ["JUPYTERHUB_API_TOKEN"] not in server.log() + json.dumps(report)


def test_the_headers_of_oauth2_proxy(visit: Visit, modules: NodeModules, hello_app: Path) -> None:
    """Identity headers pass, its tokens show up nowhere, and the app works."""
    with (
        code_server_like(modules) as proxy,
        _app(hello_app, {}, "--behind-proxy", "--host", "127.0.0.1") as server,
    ):
        url = f"{proxy.url}oauth2/{server.port}/"
        smoke(visit, url)
        report = read_report(url)

        assert "c2VjcmV0" not in server.log() + json.dumps(report)
        assert any("oauth2-proxy" in lesson["proxies"] for lesson in report["learned"])
