"""Reruns: from the page's request to "script finished", over each way to the app.

Fifty sessions are measured twice: at a pace that a bare server keeps up with, or the figure would
show the length of its queue; and each without a pause, for how many reruns a second come out.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from tests.benchmarks.fallback import SocketClient, TunnelClient
from tests.benchmarks.servers import (
    APP,
    OURS,
    PATH,
    app_url,
    interleave,
    memory_mb,
    percentile,
    start_trio,
)
from tests.benchmarks.table import Measured, Samples
from tests.harness.ports import free_port
from tests.harness.protocol import Session, open_session
from tests.harness.proxies import HTTP_1_0, start_proxy
from tests.harness.server import RunningServer, measured_python, start_server, stlaunch_app

RERUNS = 60
SESSIONS = 50
ROUNDS_EACH = 2
PACE_S = 5.0
RATE_S = 3.0
MS = "ms"


def measure_rerun(pairs: int) -> Measured:
    """One session alone, then fifty."""
    found: dict[str, Samples | str] = {}
    with start_trio() as trio, ExitStack() as stack:
        urls = {kind: app_url(server) for kind, server in trio.in_turn.items()}
        found |= _percentiles(
            "rerun-1", pairs, {kind: partial(_alone, url) for kind, url in urls.items()}
        )
        fifty = {kind: _open_fifty(url, stack) for kind, url in urls.items()}
        found |= _percentiles(
            "rerun-50",
            pairs,
            {kind: partial(_in_turn, sessions) for kind, sessions in fifty.items()},
        )
        rates = {kind: partial(_rate, sessions) for kind, sessions in fifty.items()}
        found["rerun-rate"] = Samples(**interleave(pairs, rates), scale="reruns/s")
    return found


def _percentiles(
    name: str, pairs: int, latencies: Mapping[str, Callable[[], list[float]]]
) -> dict[str, Samples]:
    seen: dict[str, list[list[float]]] = {kind: [] for kind in latencies}

    def collect(kind: str) -> float:
        seen[kind].append(latencies[kind]())
        return 0.0

    interleave(pairs, {kind: partial(collect, kind) for kind in latencies})
    return {
        f"{name}-p{percent}": Samples(
            **{
                kind: [percentile(batch, percent) for batch in batches[-pairs:]]
                for kind, batches in seen.items()
            },
            scale=MS,
        )
        for percent in (50, 99)
    }


def measure_pandas(pairs: int) -> Measured:
    """One session of an app that imports pandas and Altair."""
    with start_trio(APP.with_name("pandas_app.py")) as trio:
        turns = {
            kind: partial(_median, _alone, app_url(server)) for kind, server in trio.in_turn.items()
        }
        return {"rerun-pandas": Samples(**interleave(pairs, turns), scale=MS)}


def measure_nginx(pairs: int) -> Measured:
    """Both through the configuration that nginx's documentation recommends."""
    with start_trio() as trio, ExitStack() as stack:
        turns = {}
        for kind, server in trio.in_turn.items():
            proxy = stack.enter_context(
                start_proxy("nginx", "recommended", server.port, keep_prefix=True, base_path=PATH)
            )
            turns[kind] = partial(_median, _alone, f"{proxy.url_for('127.0.0.1')}")
        return {"rerun-nginx": Samples(**interleave(pairs, turns), scale=MS)}


def measure_fallback(pairs: int) -> Measured:
    """The same app through two nginx: one speaks HTTP/1.0 to it, one hands the upgrade on."""
    with stlaunch_app(APP, free_port(), *OURS) as server, ExitStack() as stack:
        ports = {
            name: stack.enter_context(
                start_proxy(binary, "recommended", server.port, keep_prefix=True, base_path=PATH)
            ).port
            for name, binary in (("without", HTTP_1_0), ("with", "nginx"))
        }
        turns = {
            "ours": partial(_over, TunnelClient, ports["without"]),
            "bare": partial(_over, SocketClient, ports["with"]),
            "again": partial(_over, SocketClient, ports["with"]),
        }
        return {"fallback": Samples(**interleave(pairs, turns), scale=MS)}


def measure_jupyter(pairs: int) -> Measured:
    """Against jupyter-server-proxy (standalone) in front of `streamlit run`; new ones each pair."""
    names = ("jupyter-rerun", "jupyter-memory")
    if importlib.util.find_spec("jupyterhub") is None:  # which the standalone mode needs
        return dict.fromkeys(names, 'pip install "jupyter-server-proxy[standalone]"')
    latency: dict[str, list[float]] = {"ours": [], "bare": []}
    memory: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(pairs):
        with _start_jupyter() as theirs, stlaunch_app(APP, free_port(), *OURS) as ours:
            for kind, server in (("bare", theirs), ("ours", ours)):
                latency[kind].append(percentile(_alone(app_url(server)), 50))
                memory[kind].append(memory_mb(server.pid))
    return {names[0]: Samples(**latency, scale=MS), names[1]: Samples(**memory, scale="MB")}


def _start_jupyter() -> AbstractContextManager[RunningServer]:
    port = free_port()
    inner = ["streamlit", "run", str(APP), "--server.port={port}", "--server.headless=true"]
    program = Path(sys.executable).with_name("jupyter-standaloneproxy")
    command = [str(program), "--port", str(port)]
    command += ["--address", "127.0.0.1", "--base-url", PATH, "--no-authentication", "--"]
    command += [measured_python(), "-m", *inner, "--browser.gatherUsageStats=false"]
    return start_server(command, cwd=APP.parent, ready_path=f"{PATH}/_stcore/health", port=port)


def _median(latencies: Callable[[str], list[float]], url: str) -> float:
    return percentile(latencies(url), 50)


def _alone(url: str) -> list[float]:
    with open_session(url) as session:
        session.rerun()
        return [_timed(session.rerun) for _ in range(RERUNS)]


def _open_fifty(url: str, stack: ExitStack) -> list[Session]:
    sessions = [stack.enter_context(open_session(url)) for _ in range(SESSIONS)]
    for session in sessions:
        session.rerun()
    return sessions


def _in_turn(sessions: Sequence[Session]) -> list[float]:
    """Let each rerun once in `PACE_S`, spread evenly; return all latencies."""
    begin = time.perf_counter() + 0.1

    def rerun_at_times(index: int) -> list[float]:
        found = []
        for number in range(ROUNDS_EACH):
            due = begin + (number + index / len(sessions)) * PACE_S
            time.sleep(max(0.0, due - time.perf_counter()))
            found.append(_timed(sessions[index].rerun))
        return found

    with ThreadPoolExecutor(len(sessions)) as pool:
        return [
            value for batch in pool.map(rerun_at_times, range(len(sessions))) for value in batch
        ]


def _rate(sessions: Sequence[Session]) -> float:
    """Let each rerun without a pause for `RATE_S`; return how many were done in a second."""
    begin = time.perf_counter()

    def rerun_until_the_end(session: Session) -> int:
        count = 0
        while time.perf_counter() - begin < RATE_S:
            session.rerun()
            count += 1
        return count

    with ThreadPoolExecutor(len(sessions)) as pool:
        count = sum(pool.map(rerun_until_the_end, sessions))
    return count / (time.perf_counter() - begin)


def _over(client: type[TunnelClient | SocketClient], port: int) -> float:
    page = client(port, PATH)
    try:
        page.rerun()
        return percentile([page.rerun() * 1000 for _ in range(RERUNS)], 50)
    finally:
        page.close()


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000
