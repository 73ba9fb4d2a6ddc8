"""Where standard streams take nothing, and where the working folder is gone."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.lifecycle.running import DEADLINE_S, STLAUNCH, Running, start

STREAMS = {
    "full": ">/dev/full 2>/dev/full",
    "closed": "<&- >&- 2>&-",
    "reader-gone": "> >(exit) 2>&1; exit $?",
}


def through_shell(streams: str) -> tuple[str, ...]:
    before = "" if "exit" in streams else "exec "
    return ("bash", "-c", f'{before}"$@" {streams}', "bash")


def run(folder: Path, *words: str, streams: str = "", cwd: str = "") -> tuple[int, str]:
    """Run a command; return its exit code and what it said on stderr."""
    command = shlex.join([*STLAUNCH, *words])
    done = subprocess.run(
        ["bash", "-c", f"{cwd}exec {command} {streams}"],
        cwd=folder, env={**os.environ, "HOME": str(folder)}, capture_output=True, text=True,
        timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("streams", STREAMS.values(), ids=STREAMS)
def test_an_app_serves_and_stops_as_ever_without_a_log(tmp_path: Path, streams: str) -> None:
    """Nobody reads its output: it comes up, runs its script, and its exit code is 0."""
    port = free_port()
    app = "import streamlit as st\nst.write('shown')\n"
    # The later port counts: without a log nobody could be told of another one.
    around = through_shell(streams)
    with start(tmp_path, "--port", str(port), around=around, app=app) as running:
        running.port = port
        running.wait_until(lambda: running.get("/_stlaunch/ready")[0] == 200, "the app")
        with open_session(running.url) as page:
            text = page.shown()
        os.kill(_stlaunch_process(running), signal.SIGTERM)
        code = running.wait()

    assert "shown" in text
    assert code == 0


def _stlaunch_process(running: Running) -> int:
    """Return it where it is the shell's child, and where it took the shell's place."""
    return next((child.pid for child in running.below()), running.process.pid)


@pytest.mark.parametrize(
    ("words", "streams", "code", "said"),
    [
        (["detect"], ">/dev/full", 3, "Error: The output cannot be written: No space left on"),
        (["proxy", "nginx"], ">/dev/full", 3, "Error: The output cannot be written: No space"),
        (["--help"], ">&-", 0, ""),
        (["health", "unix:/nowhere"], "2>&-", 1, ""),
        (["nowhere.py"], "2>/dev/full", 2, ""),
        (["nowhere.py"], "2>&-", 2, ""),
    ],
    ids=["detect", "proxy", "help", "health", "error-full", "error-closed"],
)
def test_a_command_never_claims_to_have_written(
    tmp_path: Path, words: list[str], streams: str, code: int, said: str
) -> None:
    """Lost output is exit code 3 and a sentence; an error keeps its code where nobody reads it."""
    found = run(tmp_path, *words, streams=streams)

    assert found[0] == code
    assert found[1].startswith(said)
    assert "Traceback" not in found[1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["app.py"], 2),
        (["proxy", "nginx"], 2),
        (["deploy", "systemd", "app.py"], 2),
        (["check", "http://127.0.0.1:1/"], 1),
        (["health", "http://127.0.0.1:1/"], 1),
        (["detect"], 0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_working_folder_that_is_gone_is_one_sentence(
    tmp_path: Path, words: list[str], code: int
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    found = run(tmp_path, *words, cwd=f"cd {gone} && rmdir {gone} && ")

    assert found[0] == code
    assert "Traceback" not in found[1]
    assert ("Error: The working folder cannot be used: No such file" in found[1]) == (code == 2)
