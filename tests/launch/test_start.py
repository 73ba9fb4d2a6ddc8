"""What a start loads, so that it does not grow back."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import start_server

APP = REPOSITORY / "tests" / "benchmarks" / "app" / "streamlit_app.py"
MAX_OWN_MODULES = 176
LATE = (
    "stlaunch.check",
    "stlaunch.deploy",
    "stlaunch.gateway.middleware.stripped_handshake",
    "stlaunch.gateway.selfcheck.endpoint",
    "stlaunch.gateway.selfcheck.report",
    "stlaunch.gateway.tunnel.endpoint",
    "stlaunch.gateway.uploads.pieces",
    "stlaunch.lint",
    "stlaunch.proxies.apache",
    "stlaunch.proxies.nginx",
    "stlaunch.proxies.traefik",
    "stlaunch.replicas",
    "markdown_it",
    "psutil",
    "requests",
    "rich",
    "tomlkit",
    "yaml",
)


def test_a_first_run_of_the_script_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    """Each module costs every start; late ones are for a request or a single command."""
    port = free_port()
    command = [sys.executable, "-m", "stlaunch", str(APP), "--behind-proxy", "--port", str(port)]
    with start_server(
        command,
        cwd=tmp_path,
        env={"PYTHONPROFILEIMPORTTIME": "1"},  # its log names each module
        ready_path="/_stcore/health",
        port=port,
    ) as server:
        with open_session(server.url) as session:
            assert "Hello" in session.shown()
        loaded = set(re.findall(r"^import time:.*\| +([\w.]+)$", server.log(), re.MULTILINE))
    own = {name for name in loaded if name.partition(".")[0] == "stlaunch"}
    late = {name for name in loaded if f"{name}.".startswith(tuple(f"{it}." for it in LATE))}

    assert "stlaunch.gateway.compose" in own
    assert "streamlit.runtime.app_session" in loaded
    assert late == set()
    assert len(own) <= MAX_OWN_MODULES, sorted(own)
