"""An answer that comes before the body is sent is read: also late, and whatever closes then."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio
import pytest

from stlaunch.check.client import Client
from stlaunch.check.dialer import Dialer
from stlaunch.check.probes import uploads
from stlaunch.check.probes.stream import Browser
from stlaunch.check.target import Target

TRIES = 200
BODY_BYTES = 4_000_000


@pytest.fixture
def refusing_port() -> Iterator[int]:
    with refuse(b"400 Bad Request") as port:
        yield port


@contextmanager
def refuse(status: bytes, *, after_s: float = 0.0) -> Iterator[int]:
    """Read the head of each request, refuse it, and close with the rest unread."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        seen = b""
                        while b"\r\n\r\n" not in seen:
                            seen += client.recv(65536)
                        time.sleep(after_s)  # how far away it is
                        client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_the_answer_of_who_refuses_early_and_closes_is_never_lost(refusing_port: int) -> None:
    """One in a hundred was, and `check --limits` took it for a limit on bodies."""

    async def run() -> list[int | None]:
        target = Target.parse(f"http://127.0.0.1:{refusing_port}/")
        dialer = Dialer(target=target, address="127.0.0.1", context=None, timeout_s=60)
        client = Client(dialer, slots=anyio.CapacityLimiter(1))
        answers = [
            await client.send("PUT", "/", body=b"x", padding=BODY_BYTES) for _ in range(TRIES)
        ]
        return [answer.status for answer in answers]

    assert anyio.run(run) == [400] * TRIES


def test_a_limit_on_bodies_is_seen_over_a_slow_way() -> None:
    """Half a second after the connection was asked for, it said nothing of it."""

    async def run(port: int) -> int | None:
        target = Target.parse(f"http://127.0.0.1:{port}/")
        dialer = Dialer(target=target, address="127.0.0.1", context=None, timeout_s=60)
        client = Client(dialer, slots=anyio.CapacityLimiter(1))
        usual = await client.get("/")
        browser = Browser()
        answer = await uploads.announce(client, browser, usual_s=usual.elapsed_ms / 1000)
        return answer.status

    with refuse(b"413 Content Too Large", after_s=0.8) as port:
        assert anyio.run(run, port) == 413
