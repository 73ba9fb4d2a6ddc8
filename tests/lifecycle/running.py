"""A stlaunch process whose life cycle is the subject: signals in, exit code out.

Owns the process and everything below it. It must not know what a test wants to see.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

DEADLINE_S = 60
STLAUNCH = (sys.executable, "-m", "stlaunch")
IN_PID_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

APP = """\
import subprocess
import time
from pathlib import Path

import streamlit as st

mode = st.query_params.get("mode", "")
if mode == "wait":
    Path("waiting" + st.query_params.get("who", "")).touch()
    while not Path("go").exists():
        time.sleep(0.02)
if mode == "children":
    codes = []
    for _ in range(10):
        orphaning = ["sh", "-c", "sleep 0.2 & sleep 0.1 & exit 7"]
        children = [subprocess.Popen(orphaning) for _ in range(20)]
        codes += [child.wait() for child in children]
    st.write(f"codes {sorted(set(codes))} of {len(codes)}")
if mode == "leave":
    subprocess.Popen(["sleep", "98765"])
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done # 98765"])
    subprocess.Popen(["sh", "-c", "setsid sleep 98765 & exit 0"])
    time.sleep(0.3)
st.write(f"finished {mode}")
"""


class Running:
    """One process, from its start to its exit code."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, is_true: Callable[[], object], what: str) -> None:
        """Wait for a condition; the log goes into the failure."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_true():
            assert time.monotonic() < deadline, f"{what} never came:\n{self.log()}"
            time.sleep(0.02)

    def wait_until_listening(self) -> None:
        """Wait for the banner, and take the port from it."""
        pattern = re.compile(r"listening[ _]on[ \":]+(?:unix:|https?://\S+:(\d+))")
        self.wait_until(lambda: pattern.search(self.log()) or self.process.poll() is not None, "it")
        found = pattern.search(self.log())
        assert found, f"it ended with {self.process.returncode}:\n{self.log()}"
        self.port = int(found[1] or 0)

    def get(self, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        """Return status, headers and body; status 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("GET", path, headers=names)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        except OSError:
            return 0, http.client.HTTPMessage(), ""
        finally:
            connection.close()

    def below(self) -> list[psutil.Process]:
        """Return every process that descends from ours."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def innermost(self) -> int:
        """Return the process id, seen from here, that `docker stop` would send its signal to."""
        for process in self.below():
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            (numbers,) = [line.split()[1:] for line in lines if line.startswith("NSpid:")]
            if len(numbers) > 1 and numbers[-1] == "1":
                return int(process.pid)
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to stlaunch: PID 1 where there is a namespace."""
        os.kill(self.innermost(), number)

    def wait(self) -> int:
        """Wait for the end and return the exit code as a shell would show it."""
        code = self.process.wait(DEADLINE_S)
        return code if code >= 0 else 128 - code


def as_user(user: int, *, group: int) -> tuple[str, ...]:
    """Return a command that runs another one as that user, who needs no passwd entry.

    He may read this interpreter wherever it lies, such as below /root, and writes like any user.
    """
    assert os.geteuid() == 0, "root alone can become another user: run this test as root"
    reading = "-all,+dac_read_search"
    return (
        "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups",
        "--bounding-set=+dac_read_search", f"--inh-caps={reading}", f"--ambient-caps={reading}",
    )  # fmt: skip


@contextmanager
def start(
    folder: Path,
    *words: str,
    around: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    app: str = APP,
    host: str = "127.0.0.1",
) -> Iterator[Running]:
    """Run `stlaunch app.py WORDS` in `folder`; ends with all that it started.

    Args:
        folder: where the app, its home and its log lie.
        words: more of the command line.
        around: a command that runs another one.
        env: more environment; HOME is the folder.
        app: the script.
        host: where to listen, unless the words say so; empty for stlaunch's default.
    """
    (folder / "app.py").write_text(app, encoding="utf-8")
    log = folder / "log"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ST")}
    address = [] if {"--uds", "--host"} & set(words) or not host else ["--host", host]
    address += [] if "--uds" in words else ["--port", "0"]
    command = [*around, *STLAUNCH, "app.py", *address, *words]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited, "HOME": str(folder), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, log)
    seen = []
    try:
        yield running
    finally:
        seen = running.below()
        if process.poll() is None:
            process.kill()
            process.wait(DEADLINE_S)
        for child in seen:
            with contextlib.suppress(psutil.Error):
                child.kill()


@contextmanager
def listening(folder: Path, *words: str, **options: object) -> Iterator[Running]:
    """Like `start`, and wait until it listens."""
    with start(folder, *words, **options) as running:  # type: ignore[arg-type]
        running.wait_until_listening()
        yield running


def left_behind(marker: str) -> list[psutil.Process]:
    """Return the processes whose command line holds `marker`, and that are no zombies."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if marker in line and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of a log that are JSON objects."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
