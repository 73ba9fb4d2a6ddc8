# ruff: noqa: INP001, S603, T201 - a script that starts what it is told to and prints
"""Run an app with an installed stlaunch: it answers under its path, and ends when it is told to."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

DEADLINE_S = 600
"""Against a hang alone: others have the machine, and the first start compiles all it imports."""

with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "app.py").write_text("import streamlit as st\nst.title('Smoke')\n")
    options = ["--behind-proxy", "/streamlitApp", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(
        [Path(sys.argv[1]).absolute(), "app.py", *options],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(DEADLINE_S, process.kill)
    guard.start()
    try:
        said = []
        for line in process.stderr or ():
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            sys.exit(f"stlaunch ended before it listened:\n{''.join(said)}")
        address = found[0]
        for path in ("/_stlaunch/health", "/streamlitApp/_stcore/health", "/streamlitApp/"):
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(address + path, timeout=DEADLINE_S) as response:
                print(response.status, path)
    finally:
        process.terminate()
        code = process.wait()
        guard.cancel()
    if code != 0:
        sys.exit(f"stlaunch ended with {code} after SIGTERM")
