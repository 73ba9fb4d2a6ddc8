"""Everything that an app can be, and every way to start it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, start_server

PAGE = "import streamlit as st\nst.title('Hello from the page')\n"
FILES = {
    "script.py": PAGE,
    "page.py": PAGE,
    "folder/streamlit_app.py": PAGE,
    "folder/pages/two.py": "import streamlit as st\nst.title('Two')\n",
    "folder/static/a.txt": "static file",
    "streamlit_asgi.py": "import streamlit as st\napp = st.App('page.py')\n",
    "fast.py": (
        "from fastapi import FastAPI\nimport streamlit as st\n"
        "st_app = st.App('page.py')\n"
        "app = FastAPI(lifespan=st_app.lifespan())\n"
        "@app.get('/items')\ndef items():\n    return {'items': 1}\n"
        "app.mount('/dashboard', st_app)\n"
    ),
    "star.py": (
        "from starlette.applications import Starlette\n"
        "from starlette.responses import PlainTextResponse\n"
        "from starlette.routing import Route\n"
        "async def hi(request):\n    return PlainTextResponse(str(request.url_for('hi')))\n"
        "app = Starlette(routes=[Route('/hi', hi, name='hi')])\n"
    ),
    "wrapped.py": (
        "import streamlit as st\nimport stlaunch\n"
        "app = stlaunch.wrap_app(st.App('page.py'), behind_proxy='/app')\n"
    ),
    "launched.py": (
        "import sys\nimport stlaunch\n"
        "sys.exit(stlaunch.launch('script.py', behind_proxy='/app', port=sys.argv[1],"
        " host='127.0.0.1', streamlit_options={'server.maxUploadSize': '3'}))\n"
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
def _serve(project: Path, *words: str) -> Iterator[RunningServer]:
    port = free_port()
    flags = ["--behind-proxy", "/app", "--host", "127.0.0.1", "--port", str(port)]
    with start_server(
        [sys.executable, "-m", "stlaunch", *words, *flags],
        cwd=project, env={"HOME": str(project)}, ready_path="/_stlaunch/ready", port=port,
    ) as server:  # fmt: skip
        yield server


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


@pytest.mark.parametrize(
    "target", ["script.py", "folder", "streamlit_asgi.py", "streamlit_asgi:app"]
)
@pytest.mark.parametrize("front", ["app/", ""], ids=["kept", "stripped"])
def test_a_streamlit_target_runs(project: Path, target: str, front: str) -> None:
    """A script, a folder, an `st.App` in a script and one by import, stripped and kept."""
    with _serve(project, target) as server, open_session(server.url + front) as session:
        assert "Hello from the page" in session.shown()


def test_pages_and_static_files_are_served(project: Path) -> None:
    """`pages/` and `static/` behave as under `streamlit run`."""
    with _serve(project, "folder", "--server.enableStaticServing", "true") as server:
        static = _get(f"{server.url}app/app/static/a.txt")
        page = _get(f"{server.url}app/two")
        with open_session(f"{server.url}app/") as session:
            messages = session.rerun()
    names = [
        page.url_pathname
        for message in messages
        for page in message.new_session.app_pages or message.navigation.app_pages
    ]

    assert static == "static file"
    assert "_stlaunch/page.js" in page
    assert "two" in names


@pytest.mark.parametrize("target", ["fast.py", "fast:app"])
@pytest.mark.parametrize("front", ["app/", ""], ids=["kept", "stripped"])
def test_fastapi_with_streamlit_mounted(project: Path, target: str, front: str) -> None:
    """The user's routes and Streamlit's page live below one public path."""
    with _serve(project, target) as server:
        items = json.loads(_get(f"{server.url}{front}items"))
        page = _get(f"{server.url}{front}dashboard/")
        with open_session(f"{server.url}{front}dashboard/") as session:
            shown = session.shown()

    assert items == {"items": 1}
    assert 'data-base="/app/dashboard"' in page
    assert "/app/dashboard/static/js/" in page
    assert "Hello from the page" in shown


def test_starlette_sees_the_public_path(project: Path) -> None:
    """Addresses that the app builds carry the prefix, also where the proxy stripped it."""
    with _serve(project, "star.py") as server:
        assert _get(f"{server.url}hi").endswith("/app/hi")


def test_wrap_app_under_plain_uvicorn(project: Path) -> None:
    """People who run uvicorn themselves get the same in one line."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "wrapped:app", "--no-proxy-headers"]
    with (
        start_server(
            [*command, f"--port={port}"],
            cwd=project, env={"HOME": str(project)}, ready_path="/_stlaunch/ready", port=port,
        ) as server,
        open_session(f"{server.url}app/") as session,
    ):  # fmt: skip
        shown = session.shown()
        page = _get(server.url)

    assert "Hello from the page" in shown
    assert 'data-base="/app"' in page


def test_launch_from_python(project: Path) -> None:
    """`stlaunch.launch` does what the command line does."""
    port = free_port()
    with (
        start_server(
            [sys.executable, "launched.py", str(port)],
            cwd=project, env={"HOME": str(project)}, ready_path="/_stlaunch/ready", port=port,
        ) as server,
        open_session(f"{server.url}app/") as session,
    ):  # fmt: skip
        assert "Hello from the page" in session.shown()


def test_the_script_is_reloaded_when_it_changes(project: Path) -> None:
    """Hot reload: an open page learns that its script has changed."""
    with (
        _serve(project, "script.py", "--server.fileWatcherType", "poll") as server,
        open_session(f"{server.url}app/") as session,
    ):
        session.rerun()
        (project / "script.py").write_text(PAGE.replace("Hello", "Bye"), encoding="utf-8")
        session.read_until("session_event")

        assert "Bye from the page" in session.shown()


def test_unix_socket(project: Path) -> None:
    """Served over a socket file; a stale one is replaced, a live one is not, none is left."""
    path = project / "app.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    command = [sys.executable, "-m", "stlaunch", "script.py", "--uds", str(path)]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while (status := _status_over(path)) != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        second = subprocess.run(
            command, cwd=project, capture_output=True, text=True, timeout=30, check=False
        )
    finally:
        process.terminate()
        _, log = process.communicate(timeout=20)

    assert status == 200
    assert (second.returncode, "Another process listens" in second.stderr) == (3, True)
    assert process.returncode == 0
    assert f"unix:{path}" in log
    assert not path.exists()


def _status_over(path: Path) -> int:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", "/_stlaunch/ready")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
