"""The drain, from outside: who may finish, who is refused, and the code that pages get."""

from __future__ import annotations

import signal
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stlaunch.gateway.tunnel.frames import Flags, Received
from tests.fallback.client import Page
from tests.harness.protocol import Session, open_session, rerun_message
from tests.lifecycle.running import Running, listening

SERVICE_RESTART = 1012


@pytest.fixture
def tunnels() -> Iterator[None]:
    """Close the HTTP clients that a test opens."""
    yield
    while Page.opened:
        Page.opened.pop().http.close()


def closing_code(page: Session) -> int | None:
    """Read to the end; return the code of the close frame."""
    try:
        while True:
            page.socket.recv(timeout=30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def refused(running: Running) -> tuple[int, str | None]:
    with pytest.raises(InvalidStatus) as caught, open_session(running.url):
        pass
    response = caught.value.response
    return response.status_code, response.headers.get("Retry-After")


def start_waiting(running: Running, folder: Path, page: Session) -> None:
    page.start_run("mode=wait")
    running.wait_until((folder / "waiting").exists, "the run")


def code_of(frame: Received) -> int:
    return int(struct.unpack("!H", frame.payload[:2])[0])


def read_to_the_end(page: Page) -> list[Received]:
    messages: list[Received] = []
    while not messages or not messages[-1].flags & Flags.CLOSE:
        messages += page.poll()
    return messages


def test_runs_finish_newcomers_are_refused_and_everybody_is_notified(
    tmp_path: Path, tunnels: None
) -> None:
    """Idle pages go at once, busy ones after their run; nobody new gets in; then it ends."""
    with (
        listening(tmp_path, "--behind-proxy", "/app") as running,
        open_session(running.url) as idle,
        open_session(running.url) as busy,
    ):
        base = f"{running.url}app/_stlaunch"
        busy_tunnel, idle_tunnel, newcomer = Page(base), Page(base), Page(base)
        assert busy_tunnel.open().status_code == idle_tunnel.open().status_code == 200
        ready = running.get("/app/_stlaunch/ready")
        idle.rerun()
        busy_tunnel.send(rerun_message("mode=wait&who=-tunnel"))
        running.wait_until((tmp_path / "waiting-tunnel").exists, "the run of the tunnel")
        start_waiting(running, tmp_path, busy)

        running.send(signal.SIGTERM)
        idle_code = closing_code(idle)
        farewell = read_to_the_end(idle_tunnel)[-1]
        draining = running.get("/app/_stlaunch/ready")
        busy.start_run()  # no run follows while draining, and none takes the place of this one
        health = running.get("/app/_stcore/health")
        alive = running.get("/app/_stlaunch/health")
        new_session = refused(running)
        new_tunnel = newcomer.open()

        (tmp_path / "go").touch()
        finished = busy.read_until("script_finished")
        busy_code = closing_code(busy)
        *messages, last = read_to_the_end(busy_tunnel)
        code = running.wait()

    assert (ready[0], ready[2]) == (200, "ready")
    assert (draining[0], draining[2]) == (503, "not ready: draining")
    assert health[0] == 503
    assert alive[0] == 200
    assert new_session == (503, "5")
    assert (new_tunnel.status_code, new_tunnel.headers["retry-after"]) == (503, "5")
    assert "finished wait" in str(finished)
    assert any(b"finished wait" in message.payload for message in messages)
    assert idle_code == busy_code == code_of(farewell) == code_of(last) == SERVICE_RESTART
    assert code == 0, running.log()


def test_what_takes_too_long_is_cut_off_and_said(tmp_path: Path) -> None:
    """Also where the script left a thread behind that never ends."""
    app = (
        "import threading, time\nimport streamlit as st\nfrom pathlib import Path\n"
        "threading.Thread(target=lambda: time.sleep(3600)).start()\n"
        "Path('waiting').touch()\ntime.sleep(3600)\n"
    )
    with (
        listening(tmp_path, "--drain-timeout", "0.5", app=app) as running,
        open_session(running.url) as page,
    ):
        start_waiting(running, tmp_path, page)
        running.send(signal.SIGTERM)
        page_code = closing_code(page)
        code = running.wait()

    assert page_code == SERVICE_RESTART
    assert code == 0
    assert "waiting up to 0.5 s for 1 running script" in running.log()
    assert "Cancelled 1 running script: the 0.5 s drain timeout is over." in running.log()


def test_each_message_of_a_run_arrives_before_the_close(tmp_path: Path) -> None:
    """A run with thousands of messages: the last one comes, then 1012."""
    app = (
        "import streamlit as st\nfrom pathlib import Path\nimport time\nPath('waiting').touch()\n"
        "while not Path('go').exists(): time.sleep(0.02)\n"
        "for number in range(3000): st.text(f'line {number}')\n"
    )
    with listening(tmp_path, app=app) as running, open_session(running.url) as page:
        start_waiting(running, tmp_path, page)
        running.send(signal.SIGTERM)
        running.wait_until(lambda: running.get("/_stlaunch/ready")[0] == 503, "the drain")
        (tmp_path / "go").touch()
        messages = page.read_until("script_finished")
        code = closing_code(page)

    lines = [message.delta.new_element.text.body for message in messages]
    assert [line for line in lines if line] == [f"line {number}" for number in range(3000)]
    assert code == SERVICE_RESTART


RESTLESS = """\
import time
from pathlib import Path
import streamlit as st
def note(kind):
    with Path(kind).open("a") as file:
        file.write("x")
note("started")
st.text("begins")
time.sleep(0.2)
st.text("ends")
note("ended")
"""


@pytest.mark.parametrize("who_asks", ["page", "script"])
def test_a_page_that_never_rests_is_closed_after_its_run(tmp_path: Path, who_asks: str) -> None:
    """Its script runs again and again without a pause: the current run is the last one."""
    app = RESTLESS if who_asks == "page" else f"{RESTLESS}st.rerun()\n"
    with (
        listening(tmp_path, "--drain-timeout", "50", app=app) as running,
        open_session(running.url) as page,
    ):
        page.rerun()
        if who_asks == "page":
            page.start_run()
            page.read_until("new_session")  # else it is at rest when the signal comes
        running.send(signal.SIGTERM)
        seen, code = read_restlessly(page, is_asking=who_asks == "page")
        exit_code = running.wait()

    assert code == SERVICE_RESTART
    assert exit_code == 0
    assert seen[-1:] == ["script_finished"]
    assert (tmp_path / "started").read_text() == (tmp_path / "ended").read_text()
    assert "Cancelled" not in running.log()
    assert "Traceback" not in running.log()


def read_restlessly(page: Session, *, is_asking: bool) -> tuple[list[str], int | None]:
    """Read to the end, and ask for the next run at the end of each one.

    Return which runs began and finished, and the code of the close frame.
    """
    seen = []
    try:
        while True:
            kind = page.read().WhichOneof("type")
            seen += [kind] if kind in {"new_session", "script_finished"} else []
            if kind == "script_finished" and is_asking:
                page.start_run()
    except ConnectionClosed as closed:
        return seen, closed.rcvd.code if closed.rcvd else None


def test_handshakes_that_wait_for_their_turn_are_answered(tmp_path: Path) -> None:
    """A hundred visitors come at once, and the app stops: each gets its session, or a 503.

    A busy machine may not have read all of them yet; those are closed like any newcomer's.
    """
    count = 100
    with listening(tmp_path) as running, open_session(running.url) as first:
        first.rerun()
        handshake = (
            f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: streamlit, X\r\n\r\n"
        )
        with ExitStack() as stack:
            address = ("127.0.0.1", running.port)
            sockets = [
                stack.enter_context(socket.create_connection(address, timeout=60))
                for _ in range(count)
            ]
            for one in sockets:
                one.sendall(handshake.encode())
            answers = [sockets[0].recv(12)]
            running.send(signal.SIGTERM)
            answers += [_beginning(one) for one in sockets[1:]]
        code = running.wait()

    statuses = Counter(answer[9:12].decode() for answer in answers)
    assert statuses.keys() - {""} == {"101", "503"}, statuses
    assert code == 0
    assert "Traceback" not in running.log()


def _beginning(one: socket.socket) -> bytes:
    try:
        return one.recv(12)
    except ConnectionResetError:
        return b""
