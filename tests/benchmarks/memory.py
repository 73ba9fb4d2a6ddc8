"""Memory at ready and after sessions came and went, and what an idle session costs."""

from __future__ import annotations

import time
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
LEVELS = (100, 500, 1000)
COUNTS = dict(zip(LEVELS, LEVELS, strict=True))
"""How many sessions a level really has; fewer where only the way is tested."""
WINDOW_S = 2.0


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
    """Open sessions on running servers, a level at a time; what each level costs more."""
    found: dict[str, Samples | str] = {}
    with start_trio() as trio, ExitStack() as sessions:
        servers = trio.in_turn
        for server in servers.values():
            _open(1, server, sessions)
            wait_until_idle(server.pid)
        empty = {name: memory_mb(server.pid) for name, server in servers.items()}
        opened = 0
        for level in LEVELS:
            for server in servers.values():
                _open(COUNTS[level] - opened, server, sessions)
            opened = COUNTS[level]
            for server in servers.values():
                wait_until_idle(server.pid)
            a_session = {
                name: [(memory_mb(server.pid) - empty[name]) * 1000 / COUNTS[level]]
                for name, server in servers.items()
            }
            found[f"idle-memory-{level}"] = Samples(**a_session, scale="KB a session")
            busy: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(pairs):
                before = {name: processor_s(server.pid) for name, server in servers.items()}
                time.sleep(WINDOW_S)
                for name, server in servers.items():
                    # The clock ticks in 10 ms; half a tick keeps a ratio of nothing at one.
                    spent = max(processor_s(server.pid) - before[name], 0.005)
                    busy[name].append(spent / WINDOW_S * 1000)
            found[f"idle-cpu-{level}"] = Samples(**busy, scale="ms a second")
    return found


def _come_and_go(server: RunningServer) -> None:
    for _ in range(SESSIONS // 10):
        with ExitStack() as sessions:
            _open(10, server, sessions)


def _open(count: int, server: RunningServer, stack: ExitStack) -> None:
    """Open sessions and run the script in each once, a few at a time."""
    with ThreadPoolExecutor(4) as pool:
        opened = [open_session(app_url(server)) for _ in range(count)]
        for manager, session in zip(
            opened, pool.map(lambda manager: manager.__enter__(), opened), strict=True
        ):
            stack.push(manager.__exit__)
            session.rerun()
