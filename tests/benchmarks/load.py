"""How much load slows a visitor down, next to bare Streamlit in the same run.

    python -m tests.benchmarks.load [NAME ...]

For each load (connections, uploads, probes, tunnels) it prints the median time of a normal
visitor's rerun at rest and under it, how that grew, and what the process holds before and a while
after: memory, descriptors, threads, asyncio tasks. Streamlit keeps its last 128 sessions for at
least two minutes, with three descriptors each, bare as well; up to two tasks come and go with its
own waiting. Each load has a fixed number of connections and ends by itself; all of them take some
four minutes. Nothing is asserted: the times are those of a machine on which the load runs too.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from tests.benchmarks.servers import APP, BARE, OURS, PATH, app_url, memory_mb, wait_until_idle
from tests.harness.ports import free_port
from tests.harness.protocol import Session, open_session
from tests.harness.server import RunningServer, bare_streamlit, stlaunch_app

AT_ONCE = 50
AT_REST = 40
PAUSE_S = 0.02
AFTER_S = 15.0
"""A tunnel that its page does not use lives for ten seconds."""
ANSWER_S = 60.0
HEAD = "Host: 127.0.0.1\r\nX-Stlaunch: 1\r\nX-Stlaunch-Protocols: streamlit, X\r\nCookie: {}\r\n"
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: streamlit, X\r\n"
)
HALF = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n"
COUNTS = {"connections": 2000, "uploads": 300, "probes": 10_000, "tunnels": 2000}
"""Of probes: by fifty clients, as of the connections that are opened at the same time."""
PROBES = {
    "ours": ("_stlaunch/check", "_stlaunch/echo", "_stlaunch/metrics", "_stcore/health"),
    "bare": ("_stcore/health", "_stcore/host-config"),
}


def main(names: Sequence[str]) -> None:
    """Measure and print."""
    for name in names or COUNTS:
        under_load = {}
        for kind in ("bare", "ours"):
            if (kind, name) == ("bare", "tunnels"):
                continue
            start, flags = (stlaunch_app, OURS) if kind == "ours" else (bare_streamlit, BARE)
            with start(APP, free_port(), *flags) as server:
                under_load[kind] = _measure(kind, name, server)
        if len(under_load) > 1:
            ratio = under_load["ours"] / under_load["bare"]
            _print(f"{name}, ours / bare", f"{ratio:.2f} (rerun under the load)")


def _measure(kind: str, name: str, server: RunningServer) -> float:
    """Print one line, and return how long a rerun takes under the load."""
    with open_session(app_url(server)) as session:
        session.rerun()
        wait_until_idle(server.pid)
        at_rest = statistics.median(_rerun_ms(session) for _ in range(AT_REST))
        before = _held(server.pid, session)
        command = [sys.executable, "-m", "tests.benchmarks.load", "--press", kind, name]
        with subprocess.Popen(
            [*command, str(server.port)], stdout=subprocess.PIPE, text=True
        ) as load:
            said = load.stdout
            assert said is not None
            said.readline()  # its imports are done, and it presses
            times: list[float] = []
            while load.poll() is None or not times:
                times.append(_rerun_ms(session))
                time.sleep(PAUSE_S)
            answers = said.read().strip()
        time.sleep(AFTER_S)
        wait_until_idle(server.pid)
        after = _held(server.pid, session)
    pressed = statistics.median(times)
    _print(
        f"{name}, {kind}",
        f"rerun {at_rest:.0f} -> {pressed:.0f} ms ({pressed / at_rest:.1f}x, {len(times)} of them, "
        f"at most {max(times):.0f}); {before} -> {after}; answers {answers}",
    )
    return pressed


def _held(pid: int, session: Session) -> str:
    """Count all that can be seen from outside, and what a visitor who is there anyway is shown."""
    process = psutil.Process(pid)
    threads = process.num_threads()  # before the script runs, which has one of its own
    tasks = session.shown("tasks=1").removeprefix("tasks=")
    descriptors = process.num_fds()
    return f"{memory_mb(pid):.0f} MB, {descriptors} descriptors, {threads} threads, {tasks} tasks"


def _rerun_ms(session: Session) -> float:
    started = time.perf_counter()
    session.rerun()
    return (time.perf_counter() - started) * 1000


async def press(kind: str, name: str, port: int) -> dict[str, int]:
    """Put a load on a server; return how often each status was answered."""
    answers: dict[str, int] = {}
    places = asyncio.Semaphore(COUNTS[name] if name == "uploads" else AT_ONCE)
    all_begun = asyncio.Barrier(COUNTS[name]) if name == "uploads" else None

    async def one(number: int) -> None:
        async with places:
            status = "none"
            try:
                async with asyncio.timeout(ANSWER_S):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(_request(kind, name, number))
                    if all_begun is None:
                        status = (await reader.readuntil(b"\r\n"))[9:12].decode()
                    else:
                        await writer.drain()
                        await all_begun.wait()
                        await asyncio.sleep(2)
                    writer.transport.abort()
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as exc:
                status = type(exc).__name__
            answers[status] = answers.get(status, 0) + 1

    await asyncio.gather(*(one(number) for number in range(COUNTS[name])))
    return answers


def _request(kind: str, name: str, number: int) -> bytes:
    head = HEAD.format(f"stlaunch={number:022d}")
    match name:
        case "connections":
            text = f"GET {PATH}/_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n{UPGRADE}\r\n"
        case "uploads":
            text = f"PUT {PATH}/_stcore/upload_file/a/{number} HTTP/1.1\r\n{head}{HALF}\r\nabc"
        case "tunnels":
            origin = "Origin: http://127.0.0.1\r\nContent-Length: 0\r\n"
            text = f"POST {PATH}/_stlaunch/tunnel HTTP/1.1\r\n{head}{origin}\r\n"
        case _:
            path = PROBES[kind][number % len(PROBES[kind])]
            text = f"GET {PATH}/{path} HTTP/1.1\r\n{head}\r\n"
    return text.encode()


def _print(name: str, figures: str) -> None:
    sys.stdout.write(f"{name:<24} {figures}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--press"]:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        found = asyncio.run(press(sys.argv[2], sys.argv[3], int(sys.argv[4])))
        sys.stdout.write(f"{found}\n")
    else:
        main(sys.argv[1:])
