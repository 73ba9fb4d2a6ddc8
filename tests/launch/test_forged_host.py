"""A client that is no proxy claims what the browser's Host was."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.server import stlaunch_app

FORGED = {
    "Origin": "http://evil.test",
    "X-Forwarded-Host": "evil.test",
    "Forwarded": "host=evil.test;proto=http",
    "Cookie": "a=b",
}


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ([], 101),  # loopback is trusted: without this row the others would prove nothing
        (["--trusted-proxies", "none"], 403),
        (["--trusted-proxies", "192.0.2.7"], 403),
    ],
    ids=["trusted-by-default", "nobody-trusted", "another-address-trusted"],
)
def test_a_forwarded_host_counts_from_a_trusted_peer_only(
    hello_app: Path, flags: list[str], status: int
) -> None:
    """A stranger that forges X-Forwarded-Host and Forwarded is refused, and logged."""
    port = free_port()
    with stlaunch_app(hello_app, port, "--behind-proxy", "/streamlitApp", *flags) as server:
        forged = _handshake(port, FORGED)
        own = _handshake(port, {"Origin": f"http://127.0.0.1:{port}", "Cookie": "a=b"})
        log = server.log()

    assert (forged, own) == (status, 101)
    assert ("STL401" in log, "STL501" in log) == (status == 403, status == 403)


def _handshake(port: int, headers: dict[str, str]) -> int:
    lines = [
        "GET /streamlitApp/_stcore/stream HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: streamlit",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(4096).split(b" ")[1])
