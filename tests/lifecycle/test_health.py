"""`stlaunch health`: quick, finds the app by itself, and distinguishes ready from alive."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stlaunch.storage import running_apps
from stlaunch.storage.running_file import RunningFile
from tests.harness.protocol import open_session
from tests.harness.server import measured_environment, unmeasured_environment
from tests.harness.tls import Tls
from tests.lifecycle.running import DEADLINE_S, IN_PID_NAMESPACE, STLAUNCH, Running, listening

ENTRY = "import sys; from stlaunch.__main__ import entrypoint; entrypoint()"  # as the script's
SAMPLES = 15


def ask(home: Path, *words: str, **env: str) -> tuple[int, str, str]:
    """Run `stlaunch health` as the same user; return exit code, stdout and stderr."""
    done = subprocess.run(
        [*STLAUNCH, "health", *words],
        cwd=home, env={"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home)}
        | measured_environment() | env,
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_it_finds_the_app_and_distinguishes_ready_from_draining(tmp_path: Path) -> None:
    """Its port and path come from the state folder, also through a Unix socket; so do all apps."""
    second = tmp_path / "second"
    second.mkdir()
    uds = tmp_path / "app.sock"
    home = {"HOME": str(tmp_path)}
    with (
        listening(tmp_path, "--behind-proxy", "/app") as running,
        listening(second, "--behind-proxy", "/two", "--uds", str(uds), env=home) as other,
        open_session(running.url) as page,
    ):
        both = ask(tmp_path)
        named = ask(tmp_path, f"{running.url}app")
        over_socket = ask(tmp_path, f"unix:{uds}:/two")
        page.start_run("mode=wait")
        running.wait_until((tmp_path / "waiting").exists, "the run")
        running.send(signal.SIGTERM)
        running.wait_until(lambda: running.get("/_stlaunch/ready")[0] == 503, "the drain")
        draining = ask(tmp_path)
        (tmp_path / "go").touch()
        assert running.wait() == 0
        one = ask(tmp_path)
        other.process.kill()
        other.process.wait()
        none = ask(tmp_path, STLAUNCH_PORT="1")

    two = f"unix:{uds}:/two/ ready\n"
    assert sorted(both[1].splitlines(keepends=True)) == [f"{running.url}app/ ready\n", two]
    assert both[0] == 0
    assert named == (0, f"{running.url}app ready\n", "")
    assert over_socket[0] == 0
    assert draining == (1, two, f"{running.url}app/ not ready: draining\n")
    assert one == (0, two, "")
    assert none[0] == 1
    assert none[2].startswith("http://127.0.0.1:1/ no answer")


def test_it_asks_an_app_that_speaks_https(tmp_path: Path, tls: Tls) -> None:
    flags = [f"--server.sslCertFile={tls.certificate}", f"--server.sslKeyFile={tls.key}"]
    with listening(tmp_path, *flags) as running:
        found = ask(tmp_path)

    assert found == (0, f"https://127.0.0.1:{running.port}/ ready\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["8501"], "does not begin with http://, https:// or unix:"),
        (["http://"], "is not a host and a port"),
        (["http://a:99999"], "is not a host and a port"),
        (["http://a b"], "contains spaces or control characters"),
        (["http://a", "http://b"], "takes one URL"),
        (["--now"], "takes one URL"),
    ],
)
def test_a_bad_url_is_a_usage_error(tmp_path: Path, words: list[str], said: str) -> None:
    code, out, err = ask(tmp_path, *words)

    assert (code, out) == (2, "")
    assert said in err
    assert "Hint: See stlaunch health --help." in err


def test_who_answers_without_http_is_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asking = subprocess.Popen(
            [*STLAUNCH, "health", f"http://127.0.0.1:{server.getsockname()[1]}"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")
        _, said = asking.communicate(timeout=DEADLINE_S)

    assert asking.returncode == 1
    assert "answers, but not in HTTP" in said


def test_a_number_that_is_used_again_is_not_the_app(tmp_path: Path) -> None:
    """A killed process's file is ignored once its process id belongs to another process."""
    folder = tmp_path / ".local" / "state" / "stlaunch" / running_apps.FOLDER
    folder.mkdir(parents=True)
    mine = running_apps.describe(os.getpid(), "http://127.0.0.1:1/")
    (folder / "1").write_text(mine.replace("started ", "started 1"))
    (folder / "2").write_text(mine.replace("namespace ", "namespace other"))
    (folder / "3").write_text("nonsense")
    environ = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    before = running_apps.running_urls(environ)
    (folder / "4").write_text(mine)

    assert before == []
    assert running_apps.running_urls(environ) == ["http://127.0.0.1:1/"]


def test_apps_in_other_containers_keep_their_files(tmp_path: Path) -> None:
    """They share a home, and know nothing of each other's processes: the lock says who is there."""
    state = tmp_path / "state" / "app"
    code = (
        "import pathlib, sys, time\n"
        "from stlaunch.storage.running_file import RunningFile\n"
        "file = RunningFile(pathlib.Path(sys.argv[1]), 'http://127.0.0.1:1/')\n"
        "print(flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [*IN_PID_NAMESPACE, sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        (theirs,) = (state.parent / running_apps.FOLDER).iterdir()
        ours = RunningFile(state, "http://127.0.0.1:2/")
        is_kept = theirs.exists()
        ours.remove()
        other.kill()
    deadline = time.monotonic() + DEADLINE_S
    while theirs.exists() and time.monotonic() < deadline:
        RunningFile(state, "http://127.0.0.1:2/").remove()

    assert is_kept
    assert not theirs.exists()


def test_it_costs_at_most_three_bare_starts() -> None:
    """Processor time of `python -c pass`, so that a busy machine does not matter; no click."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    bare = min(_cost("pass") for _ in range(SAMPLES))
    health = min(_cost(ENTRY, "health", url) for _ in range(SAMPLES))
    imports = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", ENTRY, "health", url],
        capture_output=True, text=True, check=False, env=unmeasured_environment(),
    ).stderr  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in imports.splitlines()}

    assert health <= 3 * bare
    assert "stlaunch.cli.quick_health" in loaded
    assert not loaded & {"click", "socket", "ssl", "json", "typing", "dataclasses", "re", "psutil"}


def _cost(*words: str) -> float:
    process = subprocess.Popen(
        [sys.executable, "-c", *words],
        env=unmeasured_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


FLAKY = """\
from pathlib import Path
import streamlit as st

with Path("runs").open("a") as runs:
    runs.write("run ")
if not Path("database").exists():
    raise RuntimeError("the database is not there yet")
st.write("here")
"""


def _ready(running: Running) -> tuple[int, str]:
    status, _, body = running.get("/_stlaunch/ready")
    return status, body


def test_the_warm_up_must_succeed_first(tmp_path: Path) -> None:
    """Not ready before; says why; tries again; ready after the first run without an error."""
    with listening(tmp_path, "--warm-up", app=FLAKY) as running:
        before = _ready(running)
        running.wait_until(lambda: "Warm-up run 1 of 5" in running.log(), "the first failure")
        (tmp_path / "database").touch()
        running.wait_until(lambda: _ready(running) == (200, "ready"), "the readiness")
        health = ask(tmp_path)
        log = running.log()

    assert before == (503, "not ready: warming up")
    assert health[0] == 0
    assert "the database is not there yet" in log
    assert "trying again in 1 s" in log
    assert "; the app is ready." in log
    assert (tmp_path / "runs").read_text().count("run") >= 2
