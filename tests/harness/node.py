"""JupyterHub's configurable-http-proxy, and a proxy like code-server's, both from npm.

Owns installing them and their command lines. It must not know what runs behind them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.ports import free_port
from tests.harness.server import RunningServer, start_server

if TYPE_CHECKING:
    from collections.abc import Iterator

_ATTEMPTS = 3
_PATIENCE_S = 120
_TOKEN = "only-for-this-test"
_SCRIPT = Path(__file__).with_name("code_server_like.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeModules:
    """A folder with the two packages, and the node that runs them."""

    folder: Path
    node: str


def install_node_modules(folder: Path) -> NodeModules:
    """Install configurable-http-proxy, and http-proxy with it, from the npm registry.

    Without node, npm or the registry the test fails; it never skips.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail("node and npm are missing: apt-get install nodejs npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    # The newest one needs node 20.
    is_old = int(version.stdout.strip().lstrip("v").partition(".")[0]) < 20
    package = "configurable-http-proxy@4.6.3" if is_old else "configurable-http-proxy@5.3.0"
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", package]
    for attempt in range(1, _ATTEMPTS + 1):
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if done.returncode == 0:
            return NodeModules(folder=folder / "node_modules", node=node)
        time.sleep(attempt)
    pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def configurable_http_proxy(
    modules: NodeModules, app_port: int, route: str
) -> Iterator[RunningServer]:
    """Run JupyterHub's proxy with one route, as a Hub sets it for a user's server."""
    port, api_port = free_port(), free_port()
    script = modules.folder / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    with start_server(
        [
            *(modules.node, script, "--ip", "127.0.0.1", "--port", port),
            *("--api-ip", "127.0.0.1", "--api-port", api_port),
            *("--default-target", f"http://127.0.0.1:{app_port}"),
        ],
        cwd=modules.folder,
        env={"CONFIGPROXY_AUTH_TOKEN": _TOKEN},
        ready_path="/_stlaunch/health",
        port=port,
    ) as proxy:
        request = urllib.request.Request(
            f"http://127.0.0.1:{api_port}/api/routes{route}",
            data=json.dumps({"target": f"http://127.0.0.1:{app_port}"}).encode(),
            headers={"Authorization": f"token {_TOKEN}"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
        yield proxy


@contextmanager
def code_server_like(modules: NodeModules) -> Iterator[RunningServer]:
    """Run a proxy that does what code-server does below /proxy/PORT/ and /absproxy/PORT/."""
    port = free_port()
    with start_server(
        [modules.node, _SCRIPT, modules.folder, port],
        cwd=modules.folder,
        ready_path="/healthz",
        port=port,
    ) as proxy:
        yield proxy
