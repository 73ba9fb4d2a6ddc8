"""The check against other versions of bare Streamlit, each installed from PyPI: no finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from stlaunch.check.diagnosis import diagnose
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from tests.check.apps import SCRIPT, streamlit

OLDEST_ON_STARLETTE, LAST_TORNADO = "1.57.0", "1.50.0"


def install(version: str, folder: Path) -> str:
    """Make an environment with that Streamlit; return its Python."""
    python = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
    # Newer Starlettes than it knows break the oldest one (stlaunch's README says which).
    packages = [f"streamlit=={version}", "starlette<1"]
    subprocess.run([*uv, "pip", "install", "--python", python, *packages], check=True)
    return str(python)


@pytest.mark.parametrize("version", [OLDEST_ON_STARLETTE, LAST_TORNADO])
@pytest.mark.timeout(600)
def test_other_versions_are_checked(version: str, tmp_path: Path) -> None:
    python = install(version, tmp_path / "environment")
    script = tmp_path / "streamlit_app.py"
    script.write_text(SCRIPT)
    with streamlit(script, python=python) as server:
        options = CheckOptions(target=Target.parse(server.url), timeout_s=90)
        seen = anyio.run(observe, options)
    diagnosis = diagnose(seen)

    assert seen.session is not None
    assert seen.session.finished_ms is not None
    assert seen.session.streamlit_version == version
    problems = {one.code: one.evidence for one in diagnosis.findings if one.severity != "info"}
    assert not problems
    is_old = "STL805" in {one.code for one in diagnosis.findings}
    assert is_old is (version == LAST_TORNADO)
