"""Each row of the table can be measured; nothing here asserts a time."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest

from tests.benchmarks import latency, memory, pages, servers, throughput
from tests.benchmarks.rows import ROWS
from tests.benchmarks.table import Measured, Samples, evaluate
from tests.harness.server import MEASURED_PYTHON

NAMES: dict[Callable[[int], Measured], list[str]] = defaultdict(list)
for _row in ROWS:
    NAMES[_row.measure].append(_row.name)


@pytest.fixture(scope="module")
def trio() -> Iterator[servers.Trio]:
    """The same three servers for all families."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "wait_until_idle", lambda _process_id: None)
        with servers.start_trio() as trio:
            yield trio


@pytest.fixture(autouse=True)
def _small(trio: servers.Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in small: one pair, few sessions, no waiting until the machine is quiet."""
    # A run inside of a network namespace cannot install the wheel.
    monkeypatch.setenv(MEASURED_PYTHON, sys.executable)
    monkeypatch.setattr(servers, "WARM_UPS", 0)
    monkeypatch.setattr(memory, "wait_until_idle", lambda _process_id: None)
    for module in (latency, memory, pages, throughput):
        monkeypatch.setattr(module, "start_trio", lambda *_: nullcontext(trio))
    monkeypatch.setattr(latency, "RERUNS", 2)
    monkeypatch.setattr(latency, "SESSIONS", 3)
    monkeypatch.setattr(latency, "PACE_S", 0.1)
    monkeypatch.setattr(latency, "RATE_S", 0.2)
    monkeypatch.setattr(memory, "SESSIONS", 10)
    open_sessions = memory._open
    monkeypatch.setattr(memory, "_open", lambda count, *to: open_sessions(min(count, 2), *to))
    monkeypatch.setattr(memory, "SETTLE_S", 0.0)
    monkeypatch.setattr(memory, "WINDOW_S", 0.1)
    monkeypatch.setattr(pages, "CLICKS", 2)
    monkeypatch.setattr(throughput, "REQUESTS", 2)
    sizes = {"websocket-1k": (1000, 5), "websocket-1m": (1_000_000, 2)}
    monkeypatch.setattr(throughput, "SIZES", sizes)


@pytest.mark.parametrize("family", NAMES, ids=lambda family: family.__name__)
def test_family_measures_its_rows(family: Callable[[int], Measured]) -> None:
    measured = family(1)

    assert set(NAMES[family]) <= set(measured)
    for name in NAMES[family]:
        samples = measured[name]
        if isinstance(samples, str):  # said plainly, and only what the table may lack
            assert "no command" in samples or "pip install" in samples, samples
            continue
        assert isinstance(samples, Samples)
        assert len(samples.ours) == len(samples.bare or samples.ours)
        # A handful of sessions may fit into memory that the server has already, and take less
        # than the hundredth of a second in which processor time is counted.
        is_small = name.startswith("idle-")
        assert is_small or all(value > 0 for value in samples.ours)
        row = next(row for row in ROWS if row.name == name)
        assert evaluate(row, samples).verdict in {"goal", "met", "noise", "short"}
