"""How long the commands that people and orchestrators call often take."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from tests.benchmarks.servers import APP, OURS, app_url, interleave, run_ms
from tests.benchmarks.table import Measured, Samples
from tests.harness.ports import free_port
from tests.harness.server import measured_python, stlaunch_app

ROUNDS = 3


def measure_commands(pairs: int) -> Measured:
    """Whole processes; a command that this stlaunch does not have is said to be missing."""
    python = measured_python()
    stlaunch = str(Path(python).with_name("stlaunch"))
    plain, click = [python, "-c", "pass"], [python, "-c", "import click"]
    listed = subprocess.run([stlaunch, "--help"], capture_output=True, text=True, check=True).stdout
    found: dict[str, Samples | str] = {}
    with stlaunch_app(APP, free_port(), *OURS) as server:
        url = app_url(server)
        for name, words, against in (
            ("cmd-health", ["health", url], plain),
            ("cmd-help", ["--help"], click),
            ("cmd-detect", ["detect"], click),
            ("cmd-proxy", ["proxy", "nginx"], click),
            ("check", ["check", url], None),
        ):
            if words[0] != "--help" and f"\n  {words[0]} " not in listed:
                found[name] = f"this stlaunch has no command {words[0]!r}"
                continue
            turns = {"ours": partial(run_ms, [stlaunch, *words])}
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
