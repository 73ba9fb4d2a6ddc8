"""The page script: checked by the TypeScript compiler, and one valid script as it is served."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from stlaunch.gateway.page import script as page_script
from stlaunch.gateway.selfcheck import browser_page
from tests.conftest import REPOSITORY

TYPESCRIPT = "typescript@5.9.3"


def _run(*words: str, cwd: Path) -> None:
    program = shutil.which(words[0])
    if program is None:
        pytest.fail(f"{words[0]} is missing: apt-get install nodejs npm")
    done = subprocess.run(
        [program, *words[1:]], cwd=cwd, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_hold(tmp_path: Path) -> None:
    """JSDoc types in plain JavaScript, `strict`: the app's page script, and the self-check page."""
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", TYPESCRIPT, cwd=tmp_path)
    compiler = tmp_path / "node_modules" / "typescript" / "bin" / "tsc"

    for project in ("tsconfig.json", "tsconfig.diagnosis.json"):
        _run("node", str(compiler), "--project", str(REPOSITORY / project), cwd=tmp_path)


@pytest.mark.parametrize(
    "source", [page_script._SOURCE, browser_page.SCRIPT], ids=["page", "self-check"]
)
def test_the_parts_make_one_script(tmp_path: Path, source: bytes) -> None:
    """What is sent parses as one classic script."""
    script = tmp_path / "page.js"
    script.write_bytes(source)

    _run("node", "--check", str(script), cwd=tmp_path)
