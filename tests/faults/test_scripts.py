"""An app whose script misbehaves: what others notice, how it stops, what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.protocol import open_session
from tests.lifecycle.running import DEADLINE_S, Running, left_behind, listening, start

APP = """\
import ctypes
import multiprocessing
import os
import sys
import time
from pathlib import Path

import streamlit as st

mode = st.query_params.get("mode", "")
st.write("begun")
Path(f"begun-{mode}").touch()
if mode == "raise":
    raise ValueError("mine")
if mode == "sys-exit":
    sys.exit(3)
if mode == "os-exit":
    os._exit(7)
if mode == "print":
    while not Path("enough").exists():
        print("x" * 1000)
if mode == "loop":
    while True:
        pass
if mode == "hold":  # the interpreter's lock, as C code may
    ctypes.PyDLL(None).usleep(1_500_000)
if mode == "fork":
    child = os.fork()
    if child == 0:
        raise ValueError("the child's")
    os.waitpid(child, 0)
if mode == "worker":
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
    worker.start()
    st.write(f"worker={worker.pid};")
if mode == "allocate":
    st.write(len(bytearray(4_000_000_000)))
st.write("finished")
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with listening(tmp_path_factory.mktemp("app"), "--drain-timeout", "0.5", app=APP) as running:
        yield running


def log_since(running: Running, begin: int) -> str:
    return running.log()[begin:]


@pytest.mark.parametrize("mode", ["raise", "hold", "fork"])
def test_others_go_on(app: Running, mode: str) -> None:
    """The page of the script itself can run it again, too."""
    begin = len(app.log())
    with open_session(app.url) as page, open_session(app.url) as other:
        shown = page.shown(f"mode={mode}")
        again = page.shown()
        others = other.shown()

    assert "begun" in shown
    assert ("mine" in shown) == (mode == "raise")
    assert "finished" in again
    assert "finished" in others
    assert ("mine" in log_since(app, begin)) == (mode == "raise")
    assert app.process.poll() is None
    assert app.below() == []


def test_a_script_that_exits_is_run_again_when_it_is_asked_for(app: Running) -> None:
    """`sys.exit` ends the run's thread; Streamlit reports no end, and takes the next run."""
    with open_session(app.url) as page:
        page.start_run("mode=sys-exit")
        app.wait_until((Path(app._log).parent / "begun-sys-exit").exists, "the run")
        again = page.shown()

    assert "finished" in again
    assert app.process.poll() is None


def test_a_script_that_prints_without_end_holds_nobody_up(app: Running) -> None:
    folder = Path(app._log).parent
    with open_session(app.url) as page, open_session(app.url) as other:
        page.start_run("mode=print")
        app.wait_until((folder / "begun-print").exists, "the run")
        others = other.shown()
        (folder / "enough").touch()
        page.read_until("script_finished")

    assert "finished" in others


def test_memory_that_is_not_there_is_the_scripts_own_error(app: Running) -> None:
    """`MemoryError` in the page, and everything else as before."""
    process = psutil.Process(app.process.pid)
    before = process.rlimit(psutil.RLIMIT_AS)
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + 1_000_000_000, before[1]))
    with open_session(app.url) as page, open_session(app.url) as other:
        page.shown("mode=allocate")
        again = page.shown()
        others = other.shown()
    process.rlimit(psutil.RLIMIT_AS, before)

    assert "MemoryError" in app.log()
    assert "finished" in again
    assert "finished" in others


def test_a_forked_process_holds_no_connection_and_no_port(tmp_path: Path) -> None:
    """What multiprocessing forked lives on: connections end all the same, and so does the port."""
    with listening(tmp_path, app=APP) as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=DEADLINE_S) as client:
            client.sendall(b"GET /_stlaunch/health HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1000)
            with open_session(running.url) as page:
                shown = page.shown("mode=worker")
            worker = psutil.Process(int(shown.partition("worker=")[2].partition(";")[0]))
            request = b"GET /_stlaunch/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            client.sendall(request)
            while client.recv(1000):  # to the end of the connection
                pass
        assert worker.is_running()
        running.process.kill()
        running.process.wait(DEADLINE_S)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", running.port))
        worker.kill()


def test_a_loop_without_end_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Not even Streamlit can end such a run: the process goes all the same, with its workers."""
    marker = f"sleep 97{os.getpid()}"
    app = APP.replace(
        "while True:", f"import subprocess; subprocess.Popen('{marker}'.split())\n    while True:"
    )
    with (
        listening(tmp_path, "--drain-timeout", "0.5", app=app) as running,
        open_session(running.url) as page,
        open_session(running.url) as other,
    ):
        page.start_run("mode=loop")
        running.wait_until((tmp_path / "begun-loop").exists, "the run")
        others = other.shown()
        running.send(signal.SIGTERM)
        code = running.wait()

    assert "finished" in others
    assert code == 0
    assert "Cancelled 1 running script: the 0.5 s drain timeout is over." in running.log()
    assert left_behind(marker) == []


def test_a_process_that_the_script_ends_gives_its_code_and_starts_again(tmp_path: Path) -> None:
    """`os._exit`, as a crash: nobody can clean up, and the next start is not disturbed."""
    uds = ["--uds", str(tmp_path / "app.sock")]
    with listening(tmp_path, app=APP) as running, open_session(running.url) as page:
        page.start_run("mode=os-exit")
        code = running.wait()
    (left,) = (tmp_path / ".local/state/stlaunch/running").iterdir()
    with start(tmp_path, *uds, app=APP) as running:
        running.wait_until((tmp_path / "app.sock").exists, "the socket")
        running.wait_until(lambda: "listening" in running.log().rpartition("app.sock")[0], "it")
        running.process.kill()
        running.process.wait(DEADLINE_S)
    (tmp_path / "log").unlink()
    with start(tmp_path, *uds, app=APP) as running:
        running.wait_until(lambda: "app.sock" in running.log(), "the second one")
        now = [file.name for file in left.parent.iterdir()]
        running.send(signal.SIGTERM)
        ended = running.wait()

    assert code == 7
    assert [name.partition("-")[0] for name in now] == [str(running.process.pid)]
    assert ended == 0
    assert list(left.parent.iterdir()) == []
    assert not (tmp_path / "app.sock").exists()
