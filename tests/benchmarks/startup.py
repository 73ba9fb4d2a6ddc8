"""Time from process start to a 200 on health: `stlaunch` against `streamlit run`, interleaved.

    python -m tests.benchmarks.startup [PAIRS]

Prints each median with its spread and the ratio of the pairs, and bare against bare in the same
run, so that noise is told from cost. It asserts nothing.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.harness.ports import free_port

APP = "import streamlit as st\nst.title('Hello')\n"
DEADLINE_S = 60.0


def main(pairs: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app.py"
        app.write_text(APP, encoding="utf-8")
        rows = [
            (_bare(app, folder), _ours(app, folder), _bare(app, folder)) for _ in range(pairs + 1)
        ]
    rows = rows[1:]  # the first one warmed the file cache
    _print("streamlit run", [first for first, _, _ in rows])
    _print("stlaunch", [ours for _, ours, _ in rows])
    _print("ratio to bare", [ours / first for first, ours, _ in rows])
    _print("bare to bare", [second / first for first, _, second in rows])


def _bare(app: Path, home: str) -> float:
    port = free_port()
    flags = ["--server.headless=true", f"--server.port={port}", "--browser.gatherUsageStats=false"]
    command = [sys.executable, "-m", "streamlit", "run", str(app), *flags]
    return _time_to_health(command, port, home)


def _ours(app: Path, home: str) -> float:
    port = free_port()
    command = [sys.executable, "-m", "stlaunch", str(app), "--behind-proxy", "/a", f"--port={port}"]
    return _time_to_health(command, port, home)


def _time_to_health(command: list[str], port: int, home: str) -> float:
    environ = {**os.environ, "HOME": home}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - started < DEADLINE_S:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                    return time.perf_counter() - started
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.01)
        raise TimeoutError(" ".join(command))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _print(name: str, values: list[float]) -> None:
    median = statistics.median(values)
    sys.stdout.write(f"{name:<15} {median:6.3f}  ({min(values):.3f} to {max(values):.3f})\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
