"""Messages a second over the WebSocket, and requests a second for one static file."""

from __future__ import annotations

import http.client
import re
import time
import urllib.request
from contextlib import ExitStack
from functools import partial

from tests.benchmarks.servers import PATH, app_url, interleave, start_trio
from tests.benchmarks.table import Measured, Samples
from tests.harness.protocol import open_session
from tests.harness.proxies import start_proxy

SIZES = {"websocket-1k": (1_000, 1_000), "websocket-1m": (1_000_000, 20)}
REQUESTS = 100
BROWSER = "gzip, deflate, br, zstd"


def measure_websocket(pairs: int) -> Measured:
    """A script that sends many messages; what counts is what the client has received."""
    found: dict[str, Samples | str] = {}
    with start_trio() as trio:
        for name, (size, count) in SIZES.items():
            turns = {
                kind: partial(_messages, app_url(server), size, count)
                for kind, server in trio.in_turn.items()
            }
            found[name] = Samples(**interleave(pairs, turns), scale="messages/s")
    return found


def measure_asset(pairs: int) -> Measured:
    """The page's largest script, asked for as a browser does, and as it is."""
    found: dict[str, Samples | str] = {}
    with start_trio() as trio, ExitStack() as stack:
        script = _largest_script(app_url(trio.bare))
        ports = {kind: server.port for kind, server in trio.in_turn.items()}
        behind = {
            kind: stack.enter_context(
                start_proxy("nginx", "recommended", port, keep_prefix=True, base_path=PATH)
            ).port
            for kind, port in ports.items()
        }
        for name, targets, accept in (
            ("asset", ports, BROWSER),
            ("asset-identity", ports, "identity"),
            ("asset-nginx", behind, BROWSER),
        ):
            turns = {
                kind: partial(_requests, port, f"{PATH}/{script}", accept)
                for kind, port in targets.items()
            }
            found[name] = Samples(**interleave(pairs, turns), scale="requests/s")
    return found


def _messages(url: str, size: int, count: int) -> float:
    with open_session(url) as session:
        session.rerun()
        started = time.perf_counter()
        session.rerun(f"size={size}&count={count}")
        return count / (time.perf_counter() - started)


def _largest_script(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        page = response.read().decode()
    names = re.findall(r'"\./(static/js/[^"]+\.js)"', page)
    sizes = {}
    for name in names:
        with urllib.request.urlopen(url + name) as response:
            sizes[name] = len(response.read())
    return max(sizes, key=lambda name: sizes[name])


def _requests(port: int, path: str, accept: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        started = time.perf_counter()
        for _ in range(REQUESTS):
            connection.request("GET", path, headers={"accept-encoding": accept})
            connection.getresponse().read()
        return REQUESTS / (time.perf_counter() - started)
    finally:
        connection.close()
