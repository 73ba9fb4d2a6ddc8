"""The servers that are compared, and what they cost: processor time and memory.

It knows nothing of rows. Both kinds run in what a user has: a virtual environment made by
`python -m venv` and pip, with the built wheel, what it depends on, and bytecode; nothing of the
development group is in it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.server import MEASURED_PYTHON, RunningServer, bare_streamlit, stlaunch_app

APP = Path(__file__).parent / "app" / "streamlit_app.py"
PATH = "/app"
OURS = ("--behind-proxy", PATH)
BARE = (f"--server.baseUrlPath={PATH.strip('/')}",)
WARM_UPS = 1
_IDLE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Trio:
    """stlaunch, `streamlit run`, and `streamlit run` once more."""

    bare: RunningServer
    ours: RunningServer
    again: RunningServer

    @property
    def in_turn(self) -> dict[str, RunningServer]:
        """The three by name."""
        return {"bare": self.bare, "ours": self.ours, "again": self.again}


@contextmanager
def measuring() -> Iterator[None]:
    """Prepare this process's environment, which all measured programs inherit."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="stlaunch-bench-") as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        if MEASURED_PYTHON not in os.environ:  # a run inside of a run, in a network namespace
            os.environ[MEASURED_PYTHON] = make_environment(Path(folder))
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def make_environment(folder: Path) -> str:
    """Build the wheel and install it by pip; return the environment's Python."""
    for command in (
        ["uv", "build", "--quiet", "--wheel", "--out-dir", f"{folder}/dist", str(REPOSITORY)],
        [sys.executable, "-m", "venv", f"{folder}/environment"],
    ):
        subprocess.run(command, check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    python = f"{folder}/environment/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return python


@contextmanager
def start_trio(app: Path = APP) -> Iterator[Trio]:
    """Run all three below the same path until the block ends; all are at rest at first."""
    with ExitStack() as stack:
        trio = Trio(
            bare=stack.enter_context(bare_streamlit(app, free_port(), *BARE)),
            ours=stack.enter_context(stlaunch_app(app, free_port(), *OURS)),
            again=stack.enter_context(bare_streamlit(app, free_port(), *BARE)),
        )
        for server in trio.in_turn.values():
            wait_until_idle(server.pid)
        yield trio


def app_url(server: RunningServer) -> str:
    """Return the app's address, with its final slash."""
    return f"{server.url.rstrip('/')}{PATH}/"


def interleave(pairs: int, turns: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Call each in turn, `pairs` times, a different one first each time; the first round warms."""
    found: dict[str, list[float]] = {name: [] for name in turns}
    names = list(turns)
    for number in range(pairs + WARM_UPS):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            value = turns[name]()
            if number >= WARM_UPS:
                found[name].append(value)
    return found


def processor_s(process_id: int) -> float:
    """Return user and system time of a process and its children so far."""
    # clock_getcpuclockid(3) by hand: in nanoseconds, where /proc/PID/stat counts in ticks of 10 ms.
    clocks = [(~process.pid << 3) | 2 for process in _tree(process_id)]
    return sum(time.clock_gettime(clock) for clock in clocks)


def memory_mb(process_id: int) -> float:
    """Return the resident memory of a process and its children."""
    return sum(process.memory_info().rss for process in _tree(process_id)) / 1_000_000


def wait_until_idle(process_id: int) -> None:
    """Wait until a process does nothing for a while, as after its start."""
    deadline = time.monotonic() + _IDLE_S
    quiet = 0
    while quiet < 3 and time.monotonic() < deadline:
        before = processor_s(process_id)
        time.sleep(0.5)
        quiet = quiet + 1 if processor_s(process_id) - before <= 0.02 else 0


def run_ms(command: Sequence[str]) -> float:
    """Run a command to its end and return the milliseconds; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return (time.perf_counter() - started) * 1000


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of many numbers."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _tree(process_id: int) -> list[psutil.Process]:
    process = psutil.Process(process_id)
    return [process, *process.children(recursive=True)]
