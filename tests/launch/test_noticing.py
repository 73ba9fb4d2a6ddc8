"""What the running server notices by itself, through real proxies; and its limits under load."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.harness.broken_nginx import BASE, start_broken
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.tls import Tls

pytestmark = pytest.mark.proxy

BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html"}
PROTOCOLS: Any = ["streamlit", "PLACEHOLDER_AUTH_TOKEN", "a-session-that-was-lost"]


@pytest.fixture(scope="module")
def server(hello_app: Path) -> Iterator[RunningServer]:
    with stlaunch_app(hello_app, free_port(), "--behind-proxy", BASE) as server:
        yield server


def _get(url: str, headers: dict[str, str] | None = None, tls: Tls | None = None) -> bytes:
    request = urllib.request.Request(url, headers=headers or {})
    context = tls.client_context() if tls else None
    with urllib.request.urlopen(request, timeout=30, context=context) as response:
        found: bytes = response.read()
        return found


def _codes(server: RunningServer) -> set[str]:
    report = json.loads(_get(f"{server.url}_stlaunch/check"))
    return {item["code"] for item in report["findings"]}


def test_an_idle_limit_is_measured_by_the_server(server: RunningServer) -> None:
    """Sockets that come back under their session after the same 3 s: STL604, with the seconds."""

    async def idle(url: str) -> None:
        for _ in range(20):  # a busy machine may stretch one of them
            if "STL604" in server.log():
                return
            async with connect(url, subprotocols=PROTOCOLS, proxy=None) as socket:
                await socket.wait_closed()

    with start_broken("idle limit", server.port) as proxy:
        url = proxy.url_for("127.0.0.1").replace("http", "ws", 1)
        asyncio.run(idle(f"{url}_stcore/stream"))
        log = server.wait_for_log("STL604")

    assert "Connections die at an age of about" in log
    assert "--server.websocketPingInterval" in log
    assert log.count("STL604") == 1
    assert "STL604" in _codes(server)


def test_a_page_without_a_connection_is_noticed(server: RunningServer) -> None:
    """The page is served again and again, and neither a socket nor a tunnel comes: once, STL314."""
    url = f"{server.url.rstrip('/')}{BASE}/"
    deadline = time.monotonic() + 60
    while "STL314" not in server.log():
        assert time.monotonic() < deadline, server.log()
        _get(url, BROWSER)
        _get(f"{url}_stlaunch/page.js", {"Referer": url})
        time.sleep(0.5)
    for _ in range(5):
        _get(url, BROWSER)
    with open_session(url) as session:
        session.rerun()

    assert "STL314" in _codes(server)
    assert server.log().count("STL314") == 1


def test_a_scheme_that_is_not_forwarded_is_noticed(server: RunningServer, tls: Tls) -> None:
    """Https in the browser, no X-Forwarded-Proto at the app: STL402 with nginx's line."""
    with start_broken("scheme not forwarded", server.port, tls=tls) as proxy:
        url = proxy.url_for("127.0.0.1")
        _get(f"{url}_stlaunch/page.js", {"Referer": url}, tls)
        log = server.wait_for_log("STL402")

    assert "X-Forwarded-Proto" in log
    assert "STL402" in _codes(server)


def test_another_prefix_and_an_untrusted_proxy_are_noticed(
    server: RunningServer, hello_app: Path
) -> None:
    """STL407 names the flag for the path; STL401 the exact value for the peer."""
    prefix = {**BROWSER, "X-Forwarded-Prefix": "/tool"}
    _get(f"{server.url.rstrip('/')}{BASE}/", prefix)
    log = server.wait_for_log("STL407")
    flags = ["--behind-proxy", BASE, "--trusted-proxies", "10.9.8.7"]
    with (
        stlaunch_app(hello_app, free_port(), *flags) as untrusting,
        start_proxy("nginx", "recommended", untrusting.port, keep_prefix=True) as proxy,
    ):
        report = json.loads(_get(f"{proxy.url_for('127.0.0.1')}_stlaunch/check"))
        untrusted = untrusting.wait_for_log("STL401")
    (finding,) = [item for item in report["findings"] if item["code"] == "STL401"]

    assert "--behind-proxy /tool" in log
    assert "--trusted-proxies 127.0.0.1" in untrusted
    assert finding["fix"].endswith("--trusted-proxies 127.0.0.1")
    assert report["request"]["forwarding"][0]["reason"].endswith("not a trusted proxy")


def test_two_hundred_probe_sockets_are_bounded_and_the_app_stays_responsive(
    server: RunningServer,
) -> None:
    """Some are let in, the rest gets 503 at once; the app answers and runs meanwhile."""
    front = f"ws://127.0.0.1:{server.port}{BASE}/_stlaunch/ws"
    headers = {"X-Stlaunch": "1"}

    async def probe(
        start: asyncio.Event, decided: asyncio.Event, opened: list[int], refused: list[int]
    ) -> None:
        try:
            async with connect(
                front, additional_headers=headers, open_timeout=60, proxy=None
            ) as socket:
                await socket.recv()
                opened.append(1)
                decided.set()
                await start.wait()
        except InvalidStatus as exc:
            refused.append(exc.response.status_code)
            decided.set()

    async def storm() -> tuple[int, list[int], int]:
        start = asyncio.Event()
        opened: list[int] = []
        refused: list[int] = []
        decided = [asyncio.Event() for _ in range(200)]
        tasks = [asyncio.create_task(probe(start, event, opened, refused)) for event in decided]
        async with asyncio.timeout(90):
            await asyncio.gather(*(event.wait() for event in decided))
            inside = await asyncio.to_thread(_session_works, server)
        start.set()
        await asyncio.gather(*tasks)
        return len(opened), refused, inside

    opened, refused, messages = asyncio.run(storm())

    assert 0 < opened <= 48
    assert set(refused) == {503}
    assert opened + len(refused) == 200
    assert messages > 0
    deadline = time.monotonic() + 30
    while b"stlaunch_probes 0\n" not in _get(f"{server.url}_stlaunch/metrics"):
        assert time.monotonic() < deadline, "sockets that are closed still count"


def _session_works(server: RunningServer) -> int:
    url = f"{server.url.rstrip('/')}{BASE}/"
    assert _get(f"{url}_stcore/health")
    with open_session(url) as session:
        return len(session.rerun())


def test_a_probe_socket_has_an_end(server: RunningServer) -> None:
    """A message above 17 MB ends it with 1009, and nothing of it comes back."""

    async def send() -> int | None:
        url = f"ws://127.0.0.1:{server.port}{BASE}/_stlaunch/ws"
        async with connect(
            url, additional_headers={"X-Stlaunch": "1"}, max_size=None, proxy=None
        ) as socket:
            await socket.recv()
            try:
                await socket.send(b"x" * 17_000_001)
                await socket.recv()
            except WebSocketException:
                return socket.close_code
        return None

    assert asyncio.run(send()) == 1009
