"""As PID 1 of a container and as any other process: signals, orphans, exit codes.

The namespaces are real ones; where `unshare` is missing or not permitted these tests fail.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.harness.protocol import open_session
from tests.lifecycle.running import (
    APP,
    IN_PID_NAMESPACE,
    STLAUNCH,
    Running,
    left_behind,
    listening,
    start,
)

BOTH = pytest.mark.parametrize(
    "around", [IN_PID_NAMESPACE, ()], ids=["as-pid-1", "as-another-process"]
)


def zombies(running: Running) -> list[int]:
    found = []
    for child in running.below():
        with contextlib.suppress(psutil.NoSuchProcess):  # reaped while we looked
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child.pid)
    return found


@BOTH
def test_children_keep_their_exit_codes_and_nobody_survives(
    tmp_path: Path, around: tuple[str, ...]
) -> None:
    """200 children exit with 7 while their orphans die; SIGTERM lets a run finish: 0."""
    marker = f"98{tmp_path.name[-1]}{os.getpid()}"
    app = APP.replace("98765", marker)
    with listening(tmp_path, around=around, app=app) as running, open_session(running.url) as page:
        shown = page.shown("mode=children")
        # Of PID 1 the orphans are children; else they are the machine's.
        running.wait_until(lambda: not zombies(running), "the end of every zombie")
        page.shown("mode=leave")
        before = left_behind(marker)
        page.start_run("mode=wait")
        running.wait_until((tmp_path / "waiting").exists, "the run")
        running.send(signal.SIGTERM)
        running.wait_until(lambda: running.get("/_stlaunch/ready")[0] == 503, "the drain")
        (tmp_path / "go").touch()
        last = page.read_until("script_finished")
        code = running.wait()
        log = running.log()

    assert "codes [7] of 200" in shown
    assert len(before) >= 3
    assert any("finished wait" in str(message) for message in last)
    assert code == 0, log
    left = left_behind(marker)
    for process in left:
        process.kill()
    # Outside of a container, who took a session of its own and lost its parent left on purpose.
    assert len(left) == (0 if around else 1)


@BOTH
def test_a_second_signal_ends_it_at_once(tmp_path: Path, around: tuple[str, ...]) -> None:
    with (
        listening(tmp_path, "--drain-timeout", "3600", around=around) as running,
        open_session(running.url) as page,
    ):
        page.start_run("mode=wait")
        running.wait_until((tmp_path / "waiting").exists, "the run")
        running.send(signal.SIGINT)
        running.wait_until(lambda: running.get("/_stlaunch/ready")[0] == 503, "the drain")
        still = running.process.poll()
        running.send(signal.SIGTERM)
        code = running.wait()

    assert still is None
    assert code == 128 + signal.SIGTERM


@BOTH
def test_ctrl_c_is_distinguished_from_an_orderly_stop(
    tmp_path: Path, around: tuple[str, ...]
) -> None:
    with listening(tmp_path, around=around) as running:
        running.send(signal.SIGINT)
        code = running.wait()

    assert code == 128 + signal.SIGINT


def test_what_ended_the_app_is_passed_on(tmp_path: Path) -> None:
    """Killed by signal n: 128 + n; could not start: 3."""
    with listening(tmp_path, around=IN_PID_NAMESPACE) as running:
        (app,) = psutil.Process(running.innermost()).children()
        app.kill()
        killed = running.wait()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        with start(tmp_path, "--port", port, around=IN_PID_NAMESPACE) as running:
            refused = running.wait()

    assert killed == 128 + signal.SIGKILL
    assert refused == 3


def test_ctrl_c_in_a_terminal_is_one_signal(tmp_path: Path) -> None:
    """`docker run -it`: the terminal signals a whole process group, and PID 1 hands signals on."""
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    master, slave = pty.openpty()
    command = ["setsid", "--ctty", "--wait", *IN_PID_NAMESPACE, *STLAUNCH, "app.py", "--port", "0"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, stdin=slave,
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    running = Running(process, tmp_path / "log")
    try:
        running.wait_until_listening()
        with open_session(running.url) as page:
            page.start_run("mode=wait")
            running.wait_until((tmp_path / "waiting").exists, "the run")
            os.write(master, b"\x03")
            running.wait_until(lambda: running.get("/_stlaunch/ready")[0] == 503, "the drain")
            (tmp_path / "go").touch()
            page.read_until("script_finished")
        code = running.wait()
    finally:
        os.close(slave)
        os.close(master)
        for child in running.below():
            child.kill()

    assert code == 128 + signal.SIGINT
