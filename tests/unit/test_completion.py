"""Completion as bash asks for it: the printed script is sourced by a real bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.cli.commands import COMMANDS
from tests.harness.server import measured_environment


def complete(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of `words`."""
    quoted = " ".join(f"'{word}'" for word in ("stlaunch", *words))
    script = (
        "compopt() { :; }\n"  # only allowed while a terminal asks
        'eval "$(stlaunch completion bash)"\n'
        f"COMP_WORDS=({quoted})\nCOMP_CWORD={len(words)}\n"
        "_stlaunch_completion stlaunch\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env={"PATH": path} | measured_environment(),
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("de",), "demo"),
        (("--behind",), "--behind-proxy"),
        (("app.py", "--server.port", "1", "--tr"), "--transport"),
        (("app.py", "--transport", "h"), "http"),
        (("demo", "--pro"), "--proxy"),
        (("demo", "--proxy", "ca"), "caddy"),
        (("proxy", "ng"), "nginx"),
        (("explain", "STL3"), "STL301"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_bash_is_offered(tmp_path: Path, words: tuple[str, ...], offered: str) -> None:
    assert offered in complete(tmp_path, *words)


def test_every_command_is_offered_first(tmp_path: Path) -> None:
    assert set(COMMANDS) <= set(complete(tmp_path, ""))


def test_a_bad_request_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stlaunch"],
        cwd=tmp_path, env={"_STLAUNCH_COMPLETE": "csh_complete"}, capture_output=True,
        text=True, timeout=170, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "csh_complete" in done.stderr
