"""The HTTP transport against the WebSocket, both through a real nginx on this machine.

    python -m tests.benchmarks.fallback [RERUNS]

Prints the time of a rerun over each and their ratio (the pairs interleaved), 50 sessions that
each rerun once a second, and the memory of an idle session over each. It asserts nothing.
"""

from __future__ import annotations

import http.client
import json
import secrets
import statistics
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from stlaunch.gateway.origin_policy import PLAIN_COOKIE
from stlaunch.gateway.tunnel.frames import HEADER_BYTES, Flags, Inbox, Outbox, decode_frames
from tests.harness.ports import free_port
from tests.harness.proxies import HTTP_1_0, start_proxy
from tests.harness.server import RunningServer, stlaunch_app

APP = "import streamlit as st\nst.title('Hello')\nst.write('A line')\nst.button('A button')\n"
BASE = "/streamlitApp"
SESSIONS = 50
SECONDS = 20
IDLE = 200
OWN = {"X-Stlaunch": "1"}


class TunnelClient:
    """A page over HTTP: one connection holds the stream, the other one sends."""

    def __init__(self, port: int, base: str = BASE) -> None:
        self.tunnel = f"{base}/_stlaunch/tunnel"
        self.inbox, self.outbox = Inbox(200_000_000), Outbox()
        cookie = {"Cookie": f"{PLAIN_COOKIE}={secrets.token_urlsafe(16)}"}
        self.headers = OWN | cookie
        self.sending = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        origin = f"http://127.0.0.1:{port}"
        opening = self._send("POST", "", {"Origin": origin, "X-Stlaunch-Protocols": "streamlit, X"})
        self.place = f"/{opening['id']}"
        self.receiving = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.rest = b""
        self._listen()

    def rerun(self) -> float:
        """Run the script once; return the seconds until it has finished."""
        started = time.perf_counter()
        self.outbox.put(_rerun(), Flags.MORE)
        body = b"".join(frame.encode() for frame in self.outbox.after(0))
        query = f"?ack={self.inbox.acknowledged}"
        self.outbox.acknowledge(self._send("POST", self.place + query, {}, body)["ack"])
        while not any(_is_end(message) for message in self._receive()):
            pass
        return time.perf_counter() - started

    def close(self) -> None:
        """Close both connections."""
        self.sending.close()
        self.receiving.close()

    def _listen(self) -> None:
        query = f"?ack={self.inbox.acknowledged}&mode=stream"
        path = f"{self.tunnel}{self.place}{query}"
        self.receiving.request("GET", path, headers=self.headers | {"Accept-Encoding": "gzip"})
        self.answer = self.receiving.getresponse()
        self.gzip = zlib.decompressobj(wbits=31)
        assert self.answer.status == http.client.OK, self.answer.status

    def _receive(self) -> list[bytes]:
        data = self.answer.read1(1_000_000)
        if not data:
            self._listen()
            return []
        self.rest += self.gzip.decompress(data)
        end = 0
        while len(self.rest) - end >= HEADER_BYTES:
            size = HEADER_BYTES + int.from_bytes(self.rest[end + 5 : end + HEADER_BYTES], "big")
            if len(self.rest) - end < size:
                break
            end += size
        whole, self.rest = self.rest[:end], self.rest[end:]
        return [message.payload for message in self.inbox.take(decode_frames(whole))]

    def _send(self, method: str, place: str, headers: dict[str, str], body: bytes = b"") -> dict:
        path = f"{self.tunnel}{place}"
        try:
            self.sending.request(method, path, body, self.headers | headers)
            answer = self.sending.getresponse()
        except (BrokenPipeError, http.client.RemoteDisconnected):  # idle for too long
            self.sending.close()
            self.sending.request(method, path, body, self.headers | headers)
            answer = self.sending.getresponse()
        text = answer.read()
        assert answer.status == http.client.OK, (answer.status, text)
        return json.loads(text)


class SocketClient:
    """A page over its WebSocket."""

    def __init__(self, port: int, base: str = BASE) -> None:
        self.socket: ClientConnection = connect(
            f"ws://127.0.0.1:{port}{base}/_stcore/stream",
            subprotocols=["streamlit", "X"],
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=None,
            legacy=True,
        )

    def rerun(self) -> float:
        """Run the script once; return the seconds until it has finished."""
        started = time.perf_counter()
        self.socket.send(_rerun())
        while not _is_end(self.socket.recv(60)):
            pass
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def main(reruns: int) -> None:
    """Measure and print."""
    with _served() as (_, with_upgrade, without):
        sockets, tunnels = [], []
        socket, tunnel = SocketClient(with_upgrade), TunnelClient(without)
        for _ in range(reruns + 20):
            sockets.append(socket.rerun())
            tunnels.append(tunnel.rerun())
        socket.close()
        tunnel.close()
        sockets, tunnels = sockets[20:], tunnels[20:]
        _print_times("rerun, WebSocket", sockets)
        _print_times("rerun, HTTP", tunnels)
        ratio = statistics.median(b / a for a, b in zip(sockets, tunnels, strict=True))
        _print("ratio of the pairs", f"{ratio:8.2f}")
        _many(with_upgrade, SocketClient, "WebSocket")
        _many(without, TunnelClient, "HTTP")
    for client, name in ((SocketClient, "WebSocket"), (TunnelClient, "HTTP")):
        with _served() as (server, _, _):
            _idle(server.pid, server.port, client, name)


def _many(port: int, client: type[TunnelClient | SocketClient], name: str) -> None:
    """Let many sessions rerun once a second."""
    times: list[float] = []
    errors: list[BaseException] = []

    def one(index: int) -> None:
        try:
            page = client(port)
            begin = time.perf_counter() + index / SESSIONS
            for turn in range(SECONDS):
                time.sleep(max(0.0, begin + turn - time.perf_counter()))
                times.append(page.rerun())
            page.close()
        except BaseException as error:  # noqa: BLE001 - it is counted
            errors.append(error)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _print_times(f"{SESSIONS} sessions, {name}", times)
    _print("  reruns, errors", f"{len(times):8d} {len(errors)} {errors[:1] or ''}")


def _idle(pid: int, port: int, client: type[TunnelClient | SocketClient], name: str) -> None:
    """Say what an open page that does nothing costs, its Streamlit session included."""
    first = [client(port) for _ in range(20)]
    for page in first:
        page.rerun()
    process = psutil.Process(pid)
    time.sleep(2)
    before = process.memory_info().rss
    pages = [client(port) for _ in range(IDLE)]
    time.sleep(2)
    grown = process.memory_info().rss - before
    _print(f"idle session, {name}", f"{grown / IDLE / 1024:8.0f} KB")
    for page in (*first, *pages):
        page.close()


@contextmanager
def _served() -> Iterator[tuple[RunningServer, int, int]]:
    """Run the app behind nginx with and without upgrade; yield it and the proxies' ports."""
    with ExitStack() as stack:
        app = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "app.py"
        app.write_text(APP, encoding="utf-8")
        server = stack.enter_context(stlaunch_app(app, free_port(), "--behind-proxy", BASE))
        upgraded = start_proxy("nginx", "recommended", server.port, keep_prefix=False)
        bare = start_proxy(HTTP_1_0, "recommended", server.port, keep_prefix=False)
        ports = [stack.enter_context(proxy).port for proxy in (upgraded, bare)]
        yield server, *ports


def _rerun() -> bytes:
    message = BackMsg()
    message.rerun_script.query_string = ""
    return message.SerializeToString()


def _is_end(data: bytes | str) -> bool:
    message = ForwardMsg()
    message.ParseFromString(data)
    return message.WhichOneof("type") == "script_finished"


def _print_times(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    median, late = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
    _print(name, f"{median * 1000:8.1f} ms median, {late * 1000:.1f} ms at 95 %")


def _print(name: str, figures: str) -> None:
    sys.stdout.write(f"{name:<28}{figures}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
