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
LEVELS = (100, 500, 1000)
COUNTS = dict(zip(LEVELS, LEVELS, strict=True))
"""How many sessions a level really has; fewer where only the way is tested."""
WINDOW_S = 5.0


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
    """Each pair is new servers, to which sessions are added a level at a time.

    Memory is what a level takes above a server with one session; processor time is what all of its
    sessions take while nobody does anything.
    """
    kinds = ("bare", "ours", "again")
    memory = {level: {kind: list[float]() for kind in kinds} for level in LEVELS}
    busy = {level: {kind: list[float]() for kind in kinds} for level in LEVELS}
    for _ in range(pairs):
        with start_trio() as trio, ExitStack() as sessions:
            servers = trio.in_turn
            _open_on_each(1, servers, sessions)
            empty = {kind: memory_mb(server.pid) for kind, server in servers.items()}
            opened = 0
            for level in LEVELS:
                _open_on_each(COUNTS[level] - opened, servers, sessions)
                opened = COUNTS[level]
                before = {kind: processor_s(server.pid) for kind, server in servers.items()}
                time.sleep(WINDOW_S)
                for kind, server in servers.items():
                    spent = processor_s(server.pid) - before[kind]
                    busy[level][kind].append(spent / WINDOW_S * 1000)
                    grown = memory_mb(server.pid) - empty[kind]
                    memory[level][kind].append(grown * 1000 / opened)
    found: dict[str, Samples | str] = {}
    for level in LEVELS:
        found[f"idle-memory-{level}"] = Samples(**memory[level], scale="KB a session")
        found[f"idle-cpu-{level}"] = Samples(**busy[level], scale="ms a second")
    return found


def _open_on_each(count: int, servers: Mapping[str, RunningServer], stack: ExitStack) -> None:
    for server in servers.values():
        _open(count, server, stack)
    for server in servers.values():
        wait_until_idle(server.pid)


def _come_and_go(server: RunningServer) -> None:
    for _ in range(SESSIONS // 10):
        with ExitStack() as sessions:
            _open(10, server, sessions)


def _open(count: int, server: RunningServer, stack: ExitStack) -> None:
    """Open sessions and run the script in each once, a few at a time."""

    def open_one(_number: int) -> None:
        stack.enter_context(open_session(app_url(server))).rerun()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_one, range(count)))
