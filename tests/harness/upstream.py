"""A tiny real upstream that records each request as it arrived, and echoes over a WebSocket.

Owns the recording. It must not know which proxy is in front of it, and refuses nothing.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from websockets.utils import accept_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

_TEXT_FRAME = 0x81
_LENGTH_BITS = 0x7F


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """One request as the upstream saw it."""

    http_version: str
    path: str
    """With the query."""
    headers: Message
    """Case-insensitive; `get_all` for repeated ones."""

    @property
    def is_upgrade(self) -> bool:
        """The request asks for a WebSocket, in both of the headers that it takes."""
        upgrade, connection = (self.headers.get(name, "") for name in ("Upgrade", "Connection"))
        return upgrade.lower() == "websocket" and "upgrade" in connection.lower()


@dataclass(slots=True, kw_only=True)
class Upstream:
    """The port, and what arrived there so far."""

    port: int
    requests: list[RequestInfo] = field(default_factory=list)

    def last(self) -> RequestInfo:
        """Return the last request that arrived."""
        assert self.requests, "nothing arrived at the upstream"
        return self.requests[-1]


@contextmanager
def start_upstream(*sends: tuple[str, str]) -> Iterator[Upstream]:
    """Run an upstream on a port of 127.0.0.1 until the block ends; it sends these headers."""
    requests: list[RequestInfo] = []

    class Handler(_EchoHandler):
        sent = sends

        def record(self, request: RequestInfo) -> None:
            requests.append(request)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Upstream(port=server.server_address[1], requests=requests)
        finally:
            server.shutdown()
            thread.join()


class _EchoHandler(BaseHTTPRequestHandler):
    """Answers each GET with 200, or, where an upgrade arrived, with 101 and one echoed frame."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    sent: tuple[tuple[str, str], ...] = ()

    def record(self, request: RequestInfo) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        request = RequestInfo(
            http_version=self.request_version, path=self.path, headers=self.headers
        )
        self.record(request)
        if request.is_upgrade:
            self._echo_one_frame(request)
        else:
            body = f"{request.http_version} {request.path}".encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            for name, value in self.sent:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _echo_one_frame(self, request: RequestInfo) -> None:
        """Speak as much of RFC 6455 as one short text frame takes, then hang up."""
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        key = request.headers.get("Sec-WebSocket-Key", "")
        self.send_header("Sec-WebSocket-Accept", accept_key(key))
        self.end_headers()
        self.close_connection = True
        head = self.rfile.read(2)
        if len(head) == 2 and head[0] == _TEXT_FRAME:
            length = head[1] & _LENGTH_BITS
            mask = self.rfile.read(4)
            masked = self.rfile.read(length)
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
            self.wfile.write(bytes([_TEXT_FRAME, length]) + text)
            self.wfile.flush()
            self.rfile.read(2)  # the client's close frame, or its end

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""
