"""Servers that mean harm, each on a thread of its own: raw bytes, no HTTP library.

A behaviour gets the socket and the head of one request, and may do as it likes until the block
ends.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from websockets.utils import accept_key

Behaviour: TypeAlias = Callable[[socket.socket, str], None]

_PAGE = (
    b'<title>Streamlit</title><div id="root"></div><script src="./static/js/index.a.js"></script>'
)
_HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_MAX_S = 60.0


@contextmanager
def hostile_server(behave: Behaviour) -> Iterator[int]:
    """Yield the port of a server that treats each request so."""
    is_over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.settimeout(0.1)

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_MAX_S)
            head = b""
            while b"\r\n\r\n" not in head and len(head) < 1 << 20:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            behave(connection, head.decode("latin-1"))

    def accept() -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        is_over.set()
        thread.join()
        listener.close()


def endless_body(connection: socket.socket, _head: str) -> None:
    connection.sendall(_HTML + b"\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def endless_chunks(connection: socket.socket, _head: str) -> None:
    connection.sendall(_HTML + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\nx\r\n" * 4096)


def slow_drip(connection: socket.socket, _head: str) -> None:
    connection.sendall(_HTML + b"Content-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def slow_head(connection: socket.socket, _head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X")
        time.sleep(0.05)


def silence(connection: socket.socket, _head: str) -> None:
    connection.recv(1)


def huge_header(connection: socket.socket, _head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    while True:
        connection.sendall(b"x" * 65536)


def endless_headers(connection: socket.socket, _head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: yes\r\n" * 1000)


def endless_informational(connection: socket.socket, _head: str) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)


def redirect_loop(connection: socket.socket, head: str) -> None:
    path = head.split(" ")[1]
    connection.sendall(
        f"HTTP/1.1 302 Found\r\nLocation: {path[:200]}x\r\nContent-Length: 0\r\n\r\n".encode()
    )


def malformed_location(connection: socket.socket, _head: str) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n")


def garbage(connection: socket.socket, _head: str) -> None:
    connection.sendall(bytes(range(256)) * 64)


def terminal_escapes(connection: socket.socket, _head: str) -> None:
    evil = b"\x1b]0;pwned\x07\x1b[2J\x1b[31m"
    body = b"<title>" + evil + b"</title>\r\n::error::pwned"
    head = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html" + b"; x=" + b"\xc2\x9b31m"
    connection.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def compression_bomb(connection: socket.socket, _head: str) -> None:
    head = _HTML + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb())
    connection.sendall(head + bomb())


@functools.cache
def bomb() -> bytes:
    """Return 256 MiB of zeros, compressed; slow when it is asked for the first time."""
    return gzip.compress(bytes(256 * 1024 * 1024), 1)


def with_page(then: Behaviour) -> Behaviour:
    """Answer everything as an app would, but the WebSocket with `then`."""

    def behave(connection: socket.socket, head: str) -> None:
        path = head.split(" ")[1]
        if "sec-websocket-key" in head.lower() and path.endswith("/stream"):
            then(connection, head)
            return
        kind, body = b"text/html", _PAGE
        if path.endswith("/health"):
            kind, body = b"text/plain", b"ok"
        elif path.endswith("/host-config"):
            kind, body = b"application/json", b"{}"
        elif path.endswith(".js"):
            kind, body = b"text/javascript", b"1"
        head_line = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + kind
        connection.sendall(head_line + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return behave


def switched(connection: socket.socket, head: str) -> None:
    key = next(
        line.partition(":")[2].strip()
        for line in head.split("\r\n")
        if line.lower().startswith("sec-websocket-key")
    )
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Protocol: streamlit\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n"
        "\r\n".encode()
    )


def malformed_frames(connection: socket.socket, head: str) -> None:
    switched(connection, head)
    connection.sendall(b"\xff" * 1024)
    connection.recv(65536)


def giant_frame(connection: socket.socket, head: str) -> None:
    switched(connection, head)
    connection.sendall(b"\x82\x7f" + (1 << 60).to_bytes(8, "big") + b"x" * 1024)
    connection.recv(65536)


def endless_fragments(connection: socket.socket, head: str) -> None:
    switched(connection, head)
    connection.sendall(b"\x02\x7e\xff\xff" + bytes(65535))
    while True:
        connection.sendall(b"\x00\x7e\xff\xff" + bytes(65535))


def no_protobuf(connection: socket.socket, head: str) -> None:
    switched(connection, head)
    connection.sendall(b"\x82\x05\xff\xff\xff\xff\xff")
    connection.recv(65536)


def endless_messages(connection: socket.socket, head: str) -> None:
    switched(connection, head)
    while True:
        connection.sendall(b"\x82\x02\x5a\x00" * 4096)


def endless_pings(connection: socket.socket, head: str) -> None:
    switched(connection, head)
    while True:
        connection.sendall(b"\x89\x7d" + bytes(125))


def closed_at_once(connection: socket.socket, head: str) -> None:
    switched(connection, head)
