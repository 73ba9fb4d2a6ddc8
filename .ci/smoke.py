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

DEADLINE_S = 60

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
        lines = iter(process.stderr or ())
        address = next(
            found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
        )
        for path in ("/_stlaunch/health", "/streamlitApp/_stcore/health", "/streamlitApp/"):
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(address + path, timeout=10) as response:
                print(response.status, path)
    finally:
        process.terminate()
        code = process.wait()
        guard.cancel()
    if code != 0:
        sys.exit(f"stlaunch ended with {code} after SIGTERM")
