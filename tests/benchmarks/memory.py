"""Memory at ready and after sessions came and went, and what an idle session costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.benchmarks.servers import (
    APP,
    BARE,
    OURS,
    app_url,
    memory_mb,
    processor_s,
    start_trio,
    wait_until_idle,
)
from tests.benchmarks.table import Measured, Samples
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, bare_streamlit, stlaunch_app

SESSIONS = 50
STEPS = (100, 200, 200, 250, 250)
LEVELS = (100, 500, 1000)
"""Where processor time is measured: numbers of sessions after a step."""
PACE_S = 0.2
"""Between two openings on one server: bare Streamlit keeps up with it. Where it does not, it opens
several at once and so pings several at once, which costs less than each by itself."""
SETTLE_S = 35.0
"""Until the aftermath of activity is over: compressed assets, collected garbage."""
WINDOW_S = 31.0
"""More than a ping interval, in which each session is pinged once."""


def measure_processes(pairs: int) -> Measured:
    """Each pair is two new processes, and one more of the second kind."""
    ready: dict[str, list[float]] = {"bare": [], "ours": [], "again": []}
    after: dict[str, list[float]] = {"bare": [], "ours": [], "again": []}
    for _ in range(pairs):
        for name in ("bare", "ours", "again"):
            start = stlaunch_app if name == "ours" else bare_streamlit
            with start(APP, free_port(), *(OURS if name == "ours" else BARE)) as server:
                ready[name].append(memory_mb(server.pid))
                _come_and_go(server)
                wait_until_idle(server.pid)
                after[name].append(memory_mb(server.pid))
    return {
        "memory-ready": Samples(**ready, scale="MB"),
        "memory-sessions": Samples(**after, scale="MB"),
    }


def measure_idle(pairs: int) -> Measured:
    """Add sessions to running servers, in `STEPS`; processor time while nobody does anything.

    Each step is a pair for memory: what one more session takes, whether they are few or many.
    """
    memory: dict[str, list[float]] = {kind: [] for kind in ("bare", "ours", "again")}
    found: dict[str, Samples | str] = {}
    with start_trio() as trio, ExitStack() as sessions:
        servers = trio.in_turn
        _open_on_each(1, servers, sessions)
        before = {kind: memory_mb(server.pid) for kind, server in servers.items()}
        opened = 0
        for step in STEPS:
            _open_on_each(step, servers, sessions)
            opened += step
            for kind, server in servers.items():
                now = memory_mb(server.pid)
                memory[kind].append((now - before[kind]) * 1000 / step)
                before[kind] = now
            if opened in LEVELS:
                found[f"idle-cpu-{opened}"] = _idle_processor_time(pairs, servers)
    return {"idle-memory": Samples(**memory, scale="KB a session"), **found}


def _idle_processor_time(pairs: int, servers: Mapping[str, RunningServer]) -> Samples:
    busy: dict[str, list[float]] = {kind: [] for kind in servers}
    time.sleep(SETTLE_S)
    for _ in range(pairs):
        before = {kind: processor_s(server.pid) for kind, server in servers.items()}
        time.sleep(WINDOW_S)
        for kind, server in servers.items():
            busy[kind].append((processor_s(server.pid) - before[kind]) / WINDOW_S * 1000)
    return Samples(**busy, scale="ms a second")


def _open_on_each(count: int, servers: Mapping[str, RunningServer], stack: ExitStack) -> None:
    """Open sessions on all servers at the same pace."""
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(lambda server: _open(count, server, stack, PACE_S), servers.values()))
    for server in servers.values():
        wait_until_idle(server.pid)


def _come_and_go(server: RunningServer) -> None:
    for _ in range(SESSIONS // 10):
        with ExitStack() as sessions:
            _open(10, server, sessions)


def _open(count: int, server: RunningServer, stack: ExitStack, pace_s: float = 0.0) -> None:
    """Open sessions and run the script in each once, a few at a time, or at a pace."""
    started = time.monotonic()

    def open_one(number: int) -> None:
        time.sleep(max(0.0, started + number * pace_s - time.monotonic()))
        stack.enter_context(open_session(app_url(server))).rerun()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_one, range(count)))
