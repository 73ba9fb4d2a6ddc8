"""Half-finished uploads in pieces cost about what half-finished uploads cost bare Streamlit."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, bare_streamlit, stlaunch_app

UPLOADS = 63
# Above what `free` memory of the two differs by from run to run; one megabyte an upload is more.
MARGIN_BYTES = 40_000_000
PIECE = 2_000_000
TOTAL = 200_000_000
XSRF = "2|00000000|00000000000000000000000000000000|1700000000"
BOUNDARY = "stlaunch"
BEGINNING = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()


def _request(server: RunningServer, method: str, path: str, *headers: str, length: int) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Cookie: _streamlit_xsrf={XSRF}",
        f"X-Xsrftoken: {XSRF}",
        f"Content-Length: {length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _connect(stack: ExitStack, server: RunningServer) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))


def _answer(connection: socket.socket) -> dict[str, int | str]:
    """Read one small answer with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or pytest.fail(f"closed after {data!r}")
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), data
    length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
    while len(body) < length:
        body += connection.recv(65536)
    answer: dict[str, int | str] = json.loads(body)
    return answer


def _in_pieces(stack: ExitStack, server: RunningServer, session: str, number: int) -> socket.socket:
    """Send one whole piece, and half of the next one."""
    connection = _connect(stack, server)
    own = ("X-Stlaunch: 1", f"X-Forwarded-For: 203.0.113.{number}")
    path = "/_stlaunch/upload"
    opening = (
        f"X-Stlaunch-Target: {session}/file{number}",
        f"X-Stlaunch-Size: {TOTAL}",
        f"X-Stlaunch-Type: multipart/form-data; boundary={BOUNDARY}",
    )
    connection.sendall(_request(server, "POST", path, *own, *opening, length=0))
    path = f"{path}/{_answer(connection)['id']}"
    piece = BEGINNING + bytes(PIECE)
    connection.sendall(
        _request(server, "POST", f"{path}?offset=0", *own, length=len(piece)) + piece
    )
    assert _answer(connection) == {"expected": len(piece)}
    second = _request(server, "POST", f"{path}?offset={len(piece)}", *own, length=2 * PIECE)
    connection.sendall(second + bytes(PIECE))
    return connection


def _at_once(stack: ExitStack, server: RunningServer, session: str, number: int) -> socket.socket:
    """Send as much of one request."""
    connection = _connect(stack, server)
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    path = f"/_stcore/upload_file/{session}/file{number}"
    connection.sendall(_request(server, "PUT", path, kind, length=TOTAL))
    connection.sendall(BEGINNING + bytes(2 * PIECE))
    return connection


def _most_bytes(pid: int) -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return 1024 * int(line)


def _wait_until_read(server: RunningServer) -> None:
    """Wait until the server has read all that the kernel holds for it."""
    address, deadline = f"0100007F:{server.port:04X}", time.monotonic() + 120
    while _unread_bytes(address):
        if time.monotonic() > deadline:
            pytest.fail(f"the server does not read: {_unread_bytes(address)} bytes are left")
        time.sleep(0.1)


def _unread_bytes(address: str) -> int:
    """Return what was sent to an address, and not read: in its own sockets, or on its way."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        sending, received = (int(text, 16) for text in queues.split(":"))
        count += received if local == address else sending if remote == address else 0
    return count


@pytest.mark.slow
def test_half_finished_uploads_in_pieces_cost_what_they_cost_bare_streamlit(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """They used to be held: 63 of them took 1.1 GB, and as much again in a second round."""
    app = tmp_path / "app.py"
    app.write_text("import streamlit as st\nst.write('ready')\n")
    growth = {}
    for name, start, half in (
        ("bare", bare_streamlit, _at_once),
        ("pieces", stlaunch_app, _in_pieces),
    ):
        with start(app, free_port()) as server, ExitStack() as stack:
            session = stack.enter_context(open_session(server.url))
            session_id = session.rerun()[0].new_session.initialize.session_id
            before = _most_bytes(server.pid)
            halves = [half(stack, server, session_id, number) for number in range(UPLOADS)]
            _wait_until_read(server)
            assert not select.select(halves, [], [], 0)[0], "nobody answers before the end"
            growth[name] = _most_bytes(server.pid) - before
            record_property(name, f"{before / 1e6:.0f} -> {_most_bytes(server.pid) / 1e6:.0f} MB")

    assert growth["pieces"] < growth["bare"] + MARGIN_BYTES, growth
