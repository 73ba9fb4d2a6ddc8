"""How long the commands take that people and orchestrators call often."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.servers import APP, OURS, app_url, interleave, run_ms
from tests.benchmarks.table import Measured, Samples
from tests.harness.ports import free_port
from tests.harness.server import stlaunch_app

STLAUNCH = str(Path(sys.executable).with_name("stlaunch"))
PYTHON = [sys.executable, "-c", "pass"]
CLICK = [sys.executable, "-c", "import click"]
ROUNDS = 3


def measure_commands(pairs: int) -> Measured:
    """Whole processes; a command that this stlaunch does not have is said to be missing."""
    listed = subprocess.run([STLAUNCH, "--help"], capture_output=True, text=True, check=True).stdout
    found: dict[str, Samples | str] = {}
    with stlaunch_app(APP, free_port(), *OURS) as server:
        url = app_url(server)
        for name, words, against in (
            ("cmd-health", ["health", url], PYTHON),
            ("cmd-help", ["--help"], CLICK),
            ("cmd-detect", ["detect"], CLICK),
            ("cmd-proxy", ["proxy", "nginx"], CLICK),
            ("check", ["check", url], None),
        ):
            if words[0] != "--help" and f"\n  {words[0]} " not in listed:
                found[name] = f"this stlaunch has no command {words[0]!r}"
                continue
            turns = {"ours": partial(run_ms, [STLAUNCH, *words])}
            if against is not None:
                turns |= dict.fromkeys(("bare", "again"), partial(run_ms, against))
            try:
                values = interleave(pairs * ROUNDS if against else pairs, turns)
            except subprocess.CalledProcessError as exc:
                found[name] = f"exit code {exc.returncode}: {exc.stderr.decode()[-200:]}"
                continue
            if against is None:
                seconds = [value / 1000 for value in values["ours"]]
                found[name] = Samples(ours=seconds)
            else:
                found[name] = Samples(**values, scale="ms")
    return found
