"""What Streamlit, uvicorn or Python renames: the app starts without it, and one line says so."""

from __future__ import annotations

import ast
import logging
import math
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.streamlit_adapter.internals import LOADING, TOUCHES
from stlaunch.streamlit_adapter.touch import Touch, report_misfits
from stlaunch.urls import streamlit_defaults as defaults
from tests.conftest import REPOSITORY
from tests.harness.protocol import open_session
from tests.insides import renaming
from tests.lifecycle.running import listening

APP = "import streamlit as st\nst.text('it runs')\n"

# Names that others have as well, or that are written in a protobuf descriptor, or a module of C's.
PATTERNS = {
    "exists": r"(?<=def )exists(?=\(cls)|(?<=Runtime\.)exists\b",
    "instance": r"(?<=def )instance(?=\(cls\) -> Runtime)|(?<=Runtime\.)instance\b",
    "RERUN_SCRIPT_FIELD_NUMBER": r"rerun_script(?![_a-z])",
    "shutdown": r"(?<=def )shutdown(?=\(self, sockets)|(?<=self\.)shutdown(?=\(sockets)",
    "loop": r"(?<=self\.)loop\b",
    "metadata": r"(?<=def )metadata(?=\(self)|(?<=self\.)metadata\b|(?<=dist\.)metadata\b",
    "socket": "socket",
}
# Where a name is changed: in all of a package, but for words that others in it use as well.
SCOPES = {
    "uvicorn:Server.main_loop": "uvicorn.server",
    "importlib.metadata:Distribution.metadata": "importlib.metadata streamlit.components",
}
# One name of each entry in a real process: an entry is off as a whole, whichever name is missing.
RENAMED = [
    pytest.param(touch, touch.names[0], id=touch.names[0].replace(":", ".")) for touch in TOUCHES
]
NAMES = [name for touch in TOUCHES for name in touch.names]


@pytest.mark.parametrize(("touch", "name"), RENAMED)
def test_a_renamed_name_switches_one_feature_off(touch: Touch, name: str, tmp_path: Path) -> None:
    """The page is there, a session runs, the log has one line, and the app stops cleanly."""
    env = _renamed(name, tmp_path)
    with listening(tmp_path, "--behind-proxy", "/app", app=APP, env=env) as running:
        running.wait_until(lambda: running.get("/app/_stcore/health")[0] == 200, "health")
        page = running.get("/app/")
        with open_session(f"{running.url}app/") as session:
            messages = session.rerun()
            running.send(signal.SIGTERM)
            code = running.wait()

    lines = [line for line in running.log().splitlines() if " is off. " in line]
    assert page[0] == 200
    assert "it runs" in str(messages)
    assert code == 0, running.log()
    assert len(lines) == 1, running.log()
    assert touch.feature in lines[0]
    assert touch.without in lines[0]
    assert "Traceback" not in running.log()


def test_a_renamed_keyword_switches_one_feature_off(tmp_path: Path) -> None:
    """The function is there and wants something else: it still starts, with its options set."""
    env = _renamed("streamlit.config:options_from_flags", tmp_path)
    with listening(tmp_path, "--behind-proxy", "/app", app=APP, env=env) as running:
        running.wait_until(lambda: running.get("/app/_stcore/health")[0] == 200, "health")
        with open_session(f"{running.url}app/") as session:
            messages = session.rerun()
    lines = [line for line in running.log().splitlines() if " is off. " in line]

    assert "it runs" in str(messages)
    assert len(lines) == 1, running.log()
    assert LOADING.feature in lines[0]


def test_health_is_asked_with_pythons_own_socket_where_the_quick_one_is_gone(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    done = subprocess.run(
        [sys.executable, "-m", "stlaunch", "health", url],
        env={**os.environ, **_renamed("_socket:socket", tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert "no answer" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _renamed(name: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process in which this name is another one."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(Path(renaming.__file__).read_text(encoding="utf-8"))
    module, _, path = name.partition(":")
    word = path.rpartition(".")[2]
    package = module if module.startswith("uvicorn.") else module.partition(".")[0]
    return {
        "PYTHONPATH": str(folder),
        "RENAMED": PATTERNS.get(word, rf"\b{word}\b"),
        "RENAMED_IN": SCOPES.get(name, package),
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_looked_for(name: str) -> None:
    """All names of an entry are looked up, so whichever is renamed switches it off."""
    touch = Touch(feature=f"a test of {name}", purpose="a test", names=(name,), without="No.")
    gone = f"{name[:-1]}Q"
    renamed = Touch(
        feature=f"a test of {gone}", purpose="a test", names=(name, gone), without="No."
    )

    assert touch.fits
    assert not renamed.fits


def test_each_entry_says_everything_once() -> None:
    """Each name in one entry alone; all texts are there."""
    names = [name for touch in TOUCHES for name in touch.names]
    features = [touch.feature for touch in TOUCHES]

    assert len(names) == len(set(names))
    assert len(features) == len(set(features))
    assert all(touch.purpose and touch.seen_in for touch in TOUCHES)
    assert all(touch.without.endswith(".") for touch in TOUCHES)


def test_a_signature_that_changed_switches_the_feature_off_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is there, and what it refers to has changed: said once."""
    touch = Touch(feature="the test", purpose="a test", names=("math:sqrt",), without="It goes on.")
    monkeypatch.setattr(logging.getLogger("stlaunch"), "propagate", True)
    report_misfits([touch])
    found = [touch.attempt(lambda: math.sqrt("4"), -1.0) for _ in range(2)]  # type: ignore[arg-type]

    assert found == [-1.0, -1.0]
    assert caplog.text.count("the test is off. It goes on.") == 1


ENTRIES = "stlaunch/streamlit_adapter/internals.py"
ELSEWHERE = {
    "os._exit": "documented, in spite of its name",
    "_socket": "the entry QUICK_SOCKET, for a command that cannot import the entries",
}


def test_nothing_private_is_touched_outside_of_the_entries() -> None:
    found = []
    for file in sorted((REPOSITORY / "stlaunch").rglob("*.py")):
        place = file.relative_to(REPOSITORY).as_posix()
        if place != ENTRIES:
            text = file.read_text(encoding="utf-8")
            found += [f"{place}: {name}" for name in _private_names(text)]
            found += [f"{place}: SLF001"] if "noqa: SLF001" in text else []

    assert [line for line in found if line.partition(": ")[2] not in ELSEWHERE] == []


def test_nothing_undocumented_of_streamlit_is_imported_outside_of_the_entries() -> None:
    """`import streamlit`, and the door for ASGI servers."""
    found = set()
    for file in (REPOSITORY / "stlaunch").rglob("*.py"):
        if file.relative_to(REPOSITORY).as_posix() != ENTRIES:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    found.add(node.module or "")
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}

    of_streamlit = {name for name in found if name.partition(".")[0] == "streamlit"}
    assert of_streamlit == {"streamlit", "streamlit.starlette"}


def test_defaults_are_streamlits_own(tmp_path: Path) -> None:
    """It has no ping interval: it leaves that to its server."""
    code = (
        "from streamlit import get_option as get\n"
        "for name in 'port maxUploadSize maxMessageSize websocketPingInterval'.split():\n"
        "    print(get('server.' + name))"
    )
    env = {**os.environ, "HOME": str(tmp_path)}
    printed = subprocess.check_output(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, text=True
    )

    assert printed.split() == [
        *map(str, (defaults.PORT, defaults.MAX_UPLOAD_MB, defaults.MAX_MESSAGE_MB)),
        "None",
    ]


def _private_names(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(value=value, attr=attr) if _is_private(attr):
                found.append(f"{ast.unparse(value)}.{attr}")
            case ast.Import(names=names):
                found += [alias.name for alias in names if any(map(_is_private, _parts(alias)))]
            case ast.ImportFrom(module=module, names=names):
                parts = [*(module or "").split("."), *(alias.name for alias in names)]
                found += [f"{module}.{part}" for part in parts if _is_private(part)]
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"),
                args=[_, ast.Constant(value=str(attr)), *_],
            ) if _is_private(attr):
                found.append(attr)
            case _:
                continue
    return found


def _parts(alias: ast.alias) -> list[str]:
    return alias.name.split(".")


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
