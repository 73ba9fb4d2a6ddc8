"""Starting from Python: `stlaunch.launch`, and `stlaunch.wrap_app` under plain uvicorn."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

import stlaunch
from stlaunch.errors import UsageError
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, start_server

PAGE = (
    "import sys\nimport streamlit as st\n"
    "st.text(f\"size {st.get_option('server.maxUploadSize')}, argv {sys.argv[1:]}\")\n"
)
FILES = {
    "folder/streamlit_app.py": PAGE,
    "folder/stlaunch.toml": 'behind_proxy = "/from-the-file"\n',
    "launched.py": (
        "import sys\nimport stlaunch\n"
        "code = stlaunch.launch('folder', '--mine', port=int(sys.argv[1]), host='127.0.0.1',\n"
        "    self_check=False, streamlit_options={'server.maxUploadSize': '3'})\n"
        "print('launch returned', code)\n"
    ),
    "threaded.py": (
        "import os, sys, threading, time\nimport stlaunch\n"
        "stop, codes = threading.Event(), []\n"
        "def run():\n"
        "    codes.append(stlaunch.launch('folder', port=int(sys.argv[1]), host='127.0.0.1',\n"
        "        behind_proxy=False, stop=stop))\n"
        "thread = threading.Thread(target=run)\nthread.start()\n"
        "while thread.is_alive() and not os.path.exists('stop'): time.sleep(0.05)\n"
        "stop.set()\nthread.join()\nprint('launch returned', *map(int, codes))\n"
    ),
    "wrapped.py": (
        "import streamlit as st\nimport stlaunch\n"
        "app = stlaunch.wrap_app(st.App('folder/streamlit_app.py'), behind_proxy='/app')\n"
    ),
    "fast.py": (
        "from fastapi import FastAPI\nimport streamlit as st\nimport stlaunch\n"
        "page = st.App('folder/streamlit_app.py')\n"
        "api = FastAPI(lifespan=page.lifespan())\n"
        "@api.get('/items')\ndef items():\n    return {'items': 1}\n"
        "api.mount('/dashboard', page)\n"
        "app = stlaunch.wrap_app(api, behind_proxy='/app')\n"
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@contextmanager
def _start(project: Path, port: int, *words: str) -> Iterator[RunningServer]:
    with start_server(
        [sys.executable, *words],
        cwd=project, env={"HOME": str(project)}, ready_path="/_stlaunch/ready", port=port,
    ) as server:  # fmt: skip
        yield server


@contextmanager
def _uvicorn(project: Path, app: str) -> Iterator[RunningServer]:
    port = free_port()
    words = ["-m", "uvicorn", app, "--no-proxy-headers", f"--port={port}"]
    with _start(project, port, *words) as server:
        yield server


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as response:
        text: str = response.read().decode()
        return text


def _foreign_status(url: str) -> int:
    """Return how a handshake from another site's page ends."""
    headers = {"Origin": "https://other.test", "Cookie": "a=b"}
    with pytest.raises(InvalidStatus) as refused, open_session(url, headers):
        pass
    return refused.value.response.status_code


def test_launch_does_what_the_command_line_does(project: Path) -> None:
    """The project file next to the app, typed values, options and arguments; and it returns."""
    port = free_port()
    with _start(project, port, "launched.py", str(port)) as server:
        with open_session(f"{server.url}from-the-file/") as session:
            shown = session.shown()
        os.kill(server.pid, signal.SIGTERM)
        log = server.wait_for_log("launch returned")

    assert "size 3, argv ['--mine']" in shown
    assert "launch returned 0" in log
    assert "/from-the-file/" in log
    assert "_stlaunch/" not in log


def test_launch_in_a_thread_serves_and_stops_on_request(project: Path) -> None:
    """Python delivers signals to the main thread only; the event stops it in any thread."""
    port = free_port()
    with _start(project, port, "threaded.py", str(port)) as server:
        with open_session(server.url) as session:
            shown = session.shown()
        (project / "stop").touch()
        log = server.wait_for_log("launch returned")

    assert "size 200" in shown
    assert "launch returned 0" in log


def test_a_list_for_one_value_is_refused_in_a_sentence(project: Path) -> None:
    with pytest.raises(UsageError, match=r"port= takes one value, not a list\."):
        stlaunch.launch(str(project / "folder"), port=[])  # type: ignore[arg-type]


def test_launch_below_a_running_loop_is_refused_in_a_sentence() -> None:
    async def call() -> None:
        stlaunch.launch("app.py")

    with pytest.raises(UsageError, match="running event loop") as refused:
        asyncio.run(call())

    assert "threading.Thread" in refused.value.hint


def test_wrap_app_under_plain_uvicorn(project: Path) -> None:
    """People who run uvicorn themselves get the same in one line."""
    with _uvicorn(project, "wrapped:app") as server:
        page = _get(server.url)
        foreign = _foreign_status(f"{server.url}app/")
        for front in ("app/", ""):
            with open_session(server.url + front) as session:
                assert "size 200" in session.shown(), front

    assert 'data-base="/app"' in page
    assert foreign == 403


def test_wrap_app_around_fastapi_with_streamlit_mounted(project: Path) -> None:
    """The user's own routes, and Streamlit's page below them, stripped and kept."""
    with _uvicorn(project, "fast:app") as server:
        foreign = _foreign_status(f"{server.url}app/dashboard/")
        for front in ("app/", ""):
            items = json.loads(_get(f"{server.url}{front}items"))
            page = _get(f"{server.url}{front}dashboard/")
            with open_session(f"{server.url}{front}dashboard/") as session:
                shown = session.shown()

            assert items == {"items": 1}, front
            assert 'data-base="/app/dashboard"' in page, front
            assert "size 200" in shown, front

    assert foreign == 403
