"""Malformed requests to a running app: each gets an answer, and leaves at most one line."""

from __future__ import annotations

import re
import signal
import socket
import struct
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.lifecycle.running import Running, listening

GET = b"GET /app/_stcore/stream HTTP/1.1\r\nHost: app.test\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
HANDSHAKES = {
    "control": (GET + UPGRADE + b"X-A: a\x01b\r\n\r\n", b"400"),
    "delete": (GET + UPGRADE + b"Sec-WebSocket-Protocol: a\x7f\r\n\r\n", b"400"),
    "8-kb": (GET + UPGRADE + b"X-A: " + b"a" * 8300 + b"\r\n\r\n", b"431"),
    "60-kb": (GET + UPGRADE + b"X-A: " + b"a" * 60_000 + b"\r\n\r\n", b"431"),
    "many": (GET + UPGRADE + b"".join(b"X-%d: a\r\n" % n for n in range(130)) + b"\r\n", b"431"),
    "long": (
        GET.replace(b"stream ", b"stream?" + b"a" * 9000 + b" ") + UPGRADE + b"\r\n",
        b"414",
    ),
    "post": (GET.replace(b"GET", b"POST") + UPGRADE + b"\r\n", b"405"),
    "body": (GET + UPGRADE + b"Content-Length: 3\r\n\r\nabc", b"400"),
}
LONG = b"a" * 3000
UPLOAD = b"Host: app.test\r\nContent-Type: multipart/form-data; boundary=x\r\n"
REQUESTS = {
    "connect-upload": (b"CONNECT /app/_stlaunch/upload/a HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
    "connect-page": (b"CONNECT /app/ HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
    "connect-tunnel": (b"CONNECT /app/_stlaunch/tunnel/a HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
    "chunk": (
        b"PUT /app/_stcore/upload_file/a/b HTTP/1.1\r\n" + UPLOAD
        + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"400",
    ),
    "chunk-later": (
        b"PUT /app/_stlaunch/sink HTTP/1.1\r\nX-Stlaunch: 1\r\n" + UPLOAD
        + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n",
        b"400",
    ),
    "asset": (b"GET /app/static/" + LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
    "asset-stripped": (b"GET /static/" + LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
}  # fmt: skip


TUNNEL = b"POST /app/_stlaunch/tunnel HTTP/1.1\r\nX-Stlaunch: 1\r\n" + UPLOAD
BROKEN_OFF = (
    b"",
    GET + UPGRADE[:40],
    GET + UPGRADE + b"\r\n",
    GET + UPGRADE + b"Sec-WebSocket-Protocol: streamlit, PLACEHOLDER\r\n\r\n\x82\xff\0\0",
    GET + UPGRADE + b"Sec-WebSocket-Protocol: streamlit, PLACEHOLDER\r\n\r\n\x82\x05ab",
    b"GET /app/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
    b"GET /app/_stlaunch/drip HTTP/1.1\r\nHost: app.test\r\n\r\n",
    TUNNEL + b"Content-Length: 1000\r\n\r\nabc",
    b"PUT /app/_stcore/upload_file/a/b HTTP/1.1\r\n" + UPLOAD + b"Content-Length: 9\r\n\r\na",
    b"PUT /app/_stlaunch/sink HTTP/1.1\r\nX-Stlaunch: 1\r\n" + UPLOAD
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
)  # fmt: skip
TIMES = 40
RESET = struct.pack("ii", 1, 0)


def _break_off_many(running: Running) -> None:
    """Open hundreds of connections, send the beginning of something on each, and reset them all."""
    place = (str(urlsplit(running.url).hostname), urlsplit(running.url).port or 0)
    with ExitStack() as stack:
        for raw in BROKEN_OFF * TIMES:
            client = stack.enter_context(socket.create_connection(place, timeout=60))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.sendall(raw)


def _status(running: Running, raw: bytes) -> bytes:
    place = urlsplit(running.url)
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=60) as client:
        client.sendall(raw)
        return client.recv(200)[9:12]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], str]:
    """The statuses, and the log after a stop."""
    flags = ["--behind-proxy", "/app"]
    with listening(tmp_path_factory.mktemp("app"), *flags) as running:
        found = {name: _status(running, raw) for name, (raw, _) in (HANDSHAKES | REQUESTS).items()}
        _break_off_many(running)
        found["afterwards"] = _status(running, b"GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n")
        running.send(signal.SIGTERM)
        running.wait()
        return found, running.log()


@pytest.mark.parametrize("name", HANDSHAKES | REQUESTS)
def test_a_malformed_request_is_answered(name: str, answers: tuple[dict[str, bytes], str]) -> None:
    """Uvicorn alone lets such a handshake hang forever."""
    assert answers[0][name] == (HANDSHAKES | REQUESTS)[name][1]


def test_the_log_has_one_line_of_handshakes_and_no_traceback(
    answers: tuple[dict[str, bytes], str],
) -> None:
    """Also of hundreds of connections at once that were reset in the middle of something."""
    assert answers[0]["afterwards"] == b"200"
    assert not re.search("Traceback|ERROR", answers[1]), answers[1]
    assert answers[1].count("A WebSocket handshake was refused as malformed") == 1
