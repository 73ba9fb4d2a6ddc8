"""Varnish behind a proxy that terminates TLS: what is printed starts, and knows its clients.

Hitch is not here: a request with the PROXY protocol's header stands for it.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stlaunch.proxies.configuration import KINDS, generate
from stlaunch.proxies.plans import ProxyPlan, ProxySite
from stlaunch.proxies.process import ProxyProcess
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from tests.harness.ports import free_port

KIND = KINDS["varnish"]
VARNISHD = "/usr/sbin/varnishd"
SITE = Site(base_path=BasePath("/app"), host="example.com", is_whole=True)


class Echo(BaseHTTPRequestHandler):
    """An app that answers with the forwarding headers it got."""

    def do_GET(self) -> None:
        names = ("X-Forwarded-Proto", "X-Forwarded-For")
        body = "\n".join(f"{name}: {self.headers[name]}" for name in names).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.process
@pytest.mark.parametrize("is_https", [True, False])
def test_varnishd_takes_the_configuration(is_https: bool, tmp_path: Path) -> None:
    file = tmp_path / "default.vcl"
    file.write_text(generate(KIND, replace(SITE, is_https=is_https)).text)
    done = subprocess.run(
        [VARNISHD, "-C", "-j", "none", "-n", tmp_path / "work", "-f", file],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_both_ends_speak_the_proxy_protocol() -> None:
    text = generate(KIND, SITE).text

    assert "varnishd -a 127.0.0.1:8443,PROXY -f" in text
    hitch = re.search(r"# +frontend = .*\n# +backend = .*\n# +write-proxy-v2 = on\n", text)
    assert hitch
    assert '"[*]:443"' in hitch[0]
    assert '"[127.0.0.1]:8443"' in hitch[0]


def test_plain_http_needs_neither() -> None:
    text = generate(KIND, replace(SITE, is_https=False, port=80)).text

    assert "varnishd -a :80 -f" in text
    assert "frontend =" not in text


@pytest.fixture
def varnish(upstream: str, tmp_path: Path) -> Iterator[int]:
    """Run varnishd as the configuration's head says, at a free port."""
    text = generate(KIND, replace(SITE, upstream=upstream)).text
    said = re.search(r"Start: varnishd -a 127\.0\.0\.1:8443(\S*) -f default\.vcl (.*)", text)
    assert said
    port = free_port()
    shell = (
        f'exec {VARNISHD} -F -j none -n "$PWD/work" -f "$PWD/default.vcl" '
        f"-a 127.0.0.1:{port}{said[1]} {said[2]} -s malloc,16m -s Transient=malloc,16m"
    )
    plan = ProxyPlan(
        name="varnish",
        site=ProxySite(
            listen=HostPort("127.0.0.1", port),
            upstream=HostPort.parse(upstream),
            base_path=SITE.base_path,
            keep_prefix=True,
        ),
        config_name="default.vcl",
        config_text=text,
        arguments=("-c", shell),
    )
    shell_path = shutil.which("sh")
    assert shell_path
    with ProxyProcess(plan, Path(shell_path)):
        yield port


def ask(port: int, path: str, client: str) -> str:
    """Send a request as hitch would for this client."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            f"PROXY TCP4 {client} 192.0.2.9 4711 443\r\n"
            f"GET {path} HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: http\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.process
def test_the_scheme_and_the_client_are_those_of_the_browser(varnish: int) -> None:
    """And the diagnostic pages are open for the machine itself, not for all that hitch forwards."""
    page = ask(varnish, "/app/", "203.0.113.7")

    assert "X-Forwarded-Proto: https\nX-Forwarded-For: 203.0.113.7" in page
    assert " 403 " in ask(varnish, "/app/_stlaunch/check", "203.0.113.7").splitlines()[0]
    assert " 200 " in ask(varnish, "/app/_stlaunch/check", "127.0.0.1").splitlines()[0]
