"""From process start to the first 200 on the app's health check, and to a finished script."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

from tests.benchmarks.servers import APP, interleave
from tests.benchmarks.table import Measured, Samples
from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import measured_python

DEADLINE_S = 60.0
INNER = "start-health"


def measure_health(pairs: int) -> Measured:
    """Each start is a process of its own; `streamlit run` as everybody types it."""
    return {INNER: _starts(pairs, until_script=False)}


def measure_script(pairs: int) -> Measured:
    """As above, and then a session up to "script finished"."""
    return {"start-script": _starts(pairs, until_script=True)}


def measure_without_route(pairs: int) -> Measured:
    """As `measure_health`, in a network namespace that has loopback and nothing else."""
    name = "start-no-route"
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return {name: "needs unshare and ip: apt-get install util-linux iproute2"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inner.json"
        inner = [sys.executable, "-m", "tests.benchmarks", "--only", INNER, "--json", str(file)]
        script = 'ip link set lo up && exec "$@"'
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        done = subprocess.run(
            ["unshare", "--net", *user, "sh", "-c", script, "sh", *inner, "--pairs", str(pairs)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return {name: f"no namespace: {done.stderr.strip().splitlines()[-1:]}"}
        row = json.loads(file.read_text(encoding="utf-8"))["rows"][0]
    return {name: Samples(**row["samples"])}


def _starts(pairs: int, *, until_script: bool) -> Samples:
    with tempfile.TemporaryDirectory() as home:
        start = partial(_start, home=home, until_script=until_script)
        turns = {"bare": partial(start, "bare"), "ours": partial(start, "ours")}
        return Samples(**interleave(pairs, {**turns, "again": partial(start, "bare")}))


def _start(kind: str, *, home: str, until_script: bool) -> float:
    port = free_port()
    bare = ["--server.headless=true", f"--server.port={port}", "--browser.gatherUsageStats=false"]
    command = {
        "bare": [measured_python(), "-m", "streamlit", "run", str(APP), *bare],
        "ours": [measured_python(), "-m", "stlaunch", str(APP), "--behind-proxy", f"--port={port}"],
    }[kind]
    environ = {**os.environ, "HOME": home}
    started = time.perf_counter()
    process = subprocess.Popen(
        # Where `-m` would find the checkout, the wheel would not be measured.
        command,
        cwd=APP.parent,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait_for(f"{url}_stcore/health", process)
        if until_script:
            with open_session(url) as session:
                session.rerun()
        return time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.perf_counter() + DEADLINE_S
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_S):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    raise TimeoutError(f"{process.args} never answered")
