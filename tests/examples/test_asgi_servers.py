"""The examples for other ASGI servers run under the real uvicorn, with the prefix kept and not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.examples.client import get, open_app
from tests.harness.ports import free_port
from tests.harness.server import start_server

CASES = [
    pytest.param("uvicorn", "/", "Under plain uvicorn", id="plain"),
    pytest.param("fastapi", "/dashboard/", "Stations", id="fastapi"),
]


@pytest.mark.parametrize(("folder", "below", "wanted"), CASES)
def test_uvicorn_serves_the_example(folder: str, below: str, wanted: str) -> None:
    port = free_port()
    command = ["uvicorn", "main:app", "--port", str(port), "--no-proxy-headers"]
    with start_server(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY / "examples" / folder,
        ready_path=f"/streamlitApp{below}_stlaunch/health",
        port=port,
    ) as server:
        open_app(port, f"/streamlitApp{below}", wanted)
        open_app(port, below, wanted)

        assert command[1:] == _documented_command(folder, port)
        if folder == "fastapi":
            assert get(port, "/streamlitApp/api/stations")[2] == '["Aachen","Bonn","Celle"]'
            assert get(port, "/api/stations")[0] == 200
        assert "Traceback" not in server.log()


def _documented_command(folder: str, port: int) -> list[str]:
    text = Path(REPOSITORY / "examples" / folder / "main.py").read_text()
    (line,) = (line for line in text.splitlines() if line.strip().startswith("uvicorn "))
    return line.replace("8501", str(port)).split()[1:]
