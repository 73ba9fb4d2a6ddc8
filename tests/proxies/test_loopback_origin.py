"""A real nginx that rewrites Host to localhost: the visitor's own localhost is not the app's."""

from __future__ import annotations

import http.client
import re
import socket
from pathlib import Path

import pytest

from tests.harness.own_proxy import start_nginx
from tests.harness.ports import free_port
from tests.harness.server import stlaunch_app

pytestmark = pytest.mark.proxy

PUBLIC = "https://app.example.test"
NGINX = """
location / {{
    proxy_pass http://127.0.0.1:{upstream};
    proxy_http_version 1.1;
    proxy_set_header Host localhost:{upstream};
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    {line}
}}
"""


@pytest.mark.parametrize(
    "line",
    ["", "proxy_set_header X-Forwarded-For $remote_addr;"],
    ids=["names nobody", "names the client"],
)
def test_a_page_of_the_visitors_own_machine_gets_no_socket(hello_app: Path, line: str) -> None:
    """With a public URL; behind such a proxy its Origin equals the Host that arrives."""
    upstream = free_port()
    with (
        stlaunch_app(hello_app, upstream, "--public-url", f"{PUBLIC}/") as server,
        start_nginx(lambda _port: NGINX.format(upstream=upstream, line=line), upstream) as port,
    ):
        local = f"http://localhost:{upstream}"
        strange = _handshake(port, local, "a=b")
        through = _handshake(port, local, *_as_the_page(port))
        public = _handshake(port, PUBLIC, "a=b")
        direct = _handshake(upstream, local, *_as_the_page(upstream), host=f"localhost:{upstream}")
        blind = _handshake(upstream, local, "a=b", host=f"localhost:{upstream}")
        log = server.log()

    assert strange == 403
    # Its own tokens, which a page of another origin cannot read, are of use past the proxy alone.
    assert through == (403 if line else 101)
    assert (public, direct, blind) == (101, 101, 403)
    assert "STL501" in log


def _as_the_page(port: int) -> tuple[str, str]:
    """Return cookie and token as the app's own page has them."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    cookies = [value.partition(";")[0] for value in answer.headers.get_all("set-cookie") or []]
    found = re.search(r'data-tokens="([^"]+)"', answer.read().decode())
    connection.close()
    assert found
    plain = next(cookie for cookie in cookies if cookie.startswith("stlaunch="))
    return plain, found[1].split()[1]


def _handshake(port: int, origin: str, cookie: str, token: str = "", *, host: str = "") -> int:
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host or 'app.example.test'}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: streamlit{f', stlaunch.{token}' if token else ''}",
        f"Origin: {origin}",
        f"Cookie: {cookie}",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(4096).split(b" ")[1])
