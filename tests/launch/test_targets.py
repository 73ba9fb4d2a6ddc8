"""Everything that an app can be, as a process of its own."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, start_server

FRONTS = ("app/", "")  # kept, stripped
PAGE = "import streamlit as st\nst.title('Hello from the page')\n"
FILES = {
    "script.py": PAGE,
    "page.py": PAGE,
    "folder/streamlit_app.py": PAGE,
    "folder/pages/two.py": "import streamlit as st\nst.title('Two')\n",
    "folder/static/a.txt": "static file",
    "streamlit_asgi.py": "import streamlit as st\napp = st.App('page.py')\n",
    "package/module.py": (
        "import streamlit as st\nfrom package import other\napp = st.App('../page.py')\n"
    ),
    "package/other.py": "",
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
        # -P: as for the installed script, the working folder is not in Python's path by itself.
        [sys.executable, "-P", "-m", "stlaunch", *words, *flags],
        cwd=project, env={"HOME": str(project)}, ready_path="/_stlaunch/ready", port=port,
    ) as server:  # fmt: skip
        yield server


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as response:
        text: str = response.read().decode()
        return text


@pytest.mark.parametrize(
    "target",
    ["script.py", "folder", "streamlit_asgi.py", "streamlit_asgi:app", "package.module:app"],
)
def test_a_streamlit_target_runs(project: Path, target: str) -> None:
    """A script, a folder, an `st.App` in a script and one by import, stripped and kept."""
    with _serve(project, target) as server:
        for front in FRONTS:
            with open_session(server.url + front) as session:
                assert "Hello from the page" in session.shown(), front


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
def test_fastapi_with_streamlit_mounted(project: Path, target: str) -> None:
    """The user's routes and Streamlit's page live below one public path."""
    with _serve(project, target) as server:
        for front in FRONTS:
            items = json.loads(_get(f"{server.url}{front}items"))
            page = _get(f"{server.url}{front}dashboard/")
            with open_session(f"{server.url}{front}dashboard/") as session:
                shown = session.shown()

            assert items == {"items": 1}, front
            assert 'data-base="/app/dashboard"' in page, front
            assert "/app/dashboard/static/js/" in page, front
            assert "Hello from the page" in shown, front


def test_starlette_sees_the_public_path(project: Path) -> None:
    """Addresses that the app builds carry the prefix, also where the proxy stripped it."""
    with _serve(project, "star.py") as server:
        for front in FRONTS:
            assert _get(f"{server.url}{front}hi").endswith("/app/hi"), front


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


def test_run_on_save_runs_the_script_again_by_itself(project: Path) -> None:
    """Hot reload without a click: the new text arrives although the page asked for nothing."""
    flags = ["--server.fileWatcherType", "poll", "--server.runOnSave=true"]
    with (
        _serve(project, "script.py", *flags) as server,
        open_session(f"{server.url}app/") as session,
    ):
        session.rerun()
        (project / "script.py").write_text(PAGE.replace("Hello", "Bye"), encoding="utf-8")
        messages = session.read_until("script_finished")

    assert "Bye from the page" in [message.delta.new_element.heading.body for message in messages]
