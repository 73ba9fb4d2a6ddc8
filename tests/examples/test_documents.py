"""Every command and configuration of the README and the handbook is run, or says why not.

The shell's blocks run in order, in one scratch folder that holds an app, as for a reader who goes
from the first page to the last. Addresses that only exist as examples are those of a running app.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from stlaunch.errors import ExitCode
from stlaunch.settings.fields import FIELDS
from tests.conftest import REPOSITORY
from tests.docs.blocks import Block, blocks
from tests.docs.generated import short_block
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, start_server, stlaunch_app

ALL = blocks()
RUN_HERE = {"sh", "python", "toml", "dockerfile"}
BIN = Path(sys.executable).parent
NGINX = "server {\n    listen 8080;\n    location / { proxy_pass http://127.0.0.1:8501; }\n}\n"
SERVES = re.compile(r"stlaunch (app\.py|replicas)(?!.*--dry-run)|uvicorn ")
EXPECTED = {"stlaunch lint": ExitCode.FINDINGS}  # the file has something to find
_STOP_S = 30


def test_blocks_that_are_not_run_say_why() -> None:
    """The list of all that no test runs; each of the others is run by a test of this folder."""
    left_out = [block.where.partition(":")[0] for block in ALL if block.reason]
    configurations = [block.text for block in ALL if block.language not in RUN_HERE]
    tried = [
        short_block(name) for name in ("nginx", "Apache", "Caddy", "Traefik", "HAProxy", "Envoy")
    ]
    blog = "location /streamlitApp/ { proxy_pass http://127.0.0.1:8501/; }\n"

    assert left_out == ["README", "README"]
    for text in configurations:  # `test_readme_proxies` runs these, and tests/browser the blog's
        assert text == blog or any(f"\n{text}```" in block for block in tried), text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scratch folder: an app, and the nginx configuration that is linted."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "app.py").write_text("import streamlit as st\nst.write('hello')\n")
    (folder / "nginx.conf").write_text(NGINX)
    return folder


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[RunningServer]:
    with stlaunch_app(folder / "app.py", free_port(), "--behind-proxy", "/streamlitApp") as server:
        yield server


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=block.where)
        for block in ALL
        if block.language == "sh" and not block.reason
    ],
)
@pytest.mark.process
def test_commands_run(block: Block, folder: Path, app: RunningServer) -> None:
    if "uvicorn main:app" in block.text:
        (folder / "main.py").write_text(_python("embedding", "wrap_app"))
    for command in block.commands:
        if SERVES.match(command):
            serve(command, folder)
        else:
            run(command, folder, app)


@pytest.mark.process
def test_what_the_table_says_to_type_works(folder: Path, app: RunningServer) -> None:
    """The README's first table, typed in the folder of an app; the app itself is started above."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\| [^|]+ \| `(stlaunch [^`]+)` \|", readme, re.MULTILINE)

    assert len(commands) == 6
    for command in commands:
        if not SERVES.match(command):
            run(command, folder, app)


def run(command: str, folder: Path, app: RunningServer) -> None:
    if command.startswith(("stlaunch check", "stlaunch lint")):  # what only exists as an example
        command = command.replace("https://example.com/", app.url)
        command = command.replace("/etc/nginx/nginx.conf", str(folder / "nginx.conf"))
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=environ(), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    wanted = EXPECTED.get(" ".join(command.split()[:2]), ExitCode.OK)

    assert done.returncode == wanted, f"{command}\n{done.stdout}{done.stderr}"


def serve(command: str, folder: Path) -> None:
    """Start what serves until it is stopped, on a port of this test, and see it answer."""
    port = free_port()
    words = [word if word != "8501" else str(port) for word in shlex.split(command)]
    if "0.0.0.0" in words or words[0] == "stlaunch":
        words = [word if word != "0.0.0.0" else "127.0.0.1" for word in words]
    base = "/streamlitApp" if "--behind-proxy" in words or words[0] == "uvicorn" else ""
    with start_server(
        [str(BIN / words[0]), *words[1:]],
        cwd=folder,
        env=environ() | {"STLAUNCH_PORT": str(port)} if words[0] == "stlaunch" else environ(),
        ready_path=f"{base}/_stlaunch/ready",
        port=port,
    ):
        pass


def environ() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("STLAUNCH_")}
    return kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    "block", [pytest.param(one, id=one.where) for one in ALL if one.language == "python"]
)
def test_python_is_valid(block: Block) -> None:
    """`wrap_app` is served above, as main.py; `launch` is called in tests/launch."""
    ast.parse(block.text)
    assert "stlaunch." in block.text


@pytest.mark.parametrize(
    "block", [pytest.param(one, id=one.where) for one in ALL if one.language == "toml"]
)
def test_toml_holds_settings(block: Block) -> None:
    assert set(tomllib.loads(block.text)) <= {field.name for field in FIELDS}


@pytest.mark.parametrize(
    "block", [pytest.param(one, id=one.where) for one in ALL if one.language == "dockerfile"]
)
@pytest.mark.process
def test_dockerfile_lines_pass_hadolint(block: Block, tmp_path: Path) -> None:
    """They are in the example as well, whose image `tests/examples` examines."""
    example = (REPOSITORY / "examples" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM python:3.13-slim\nWORKDIR /app\nUSER 1000\n{block.text}")
    done = subprocess.run(
        [BIN / "hadolint", file], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout
    assert 'ENTRYPOINT ["stlaunch"]' in example


def _python(page: str, word: str) -> str:
    (block,) = [
        one for one in ALL if one.page == page and word in one.text and one.language == "python"
    ]
    return block.text
