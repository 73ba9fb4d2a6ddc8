"""Target: what the user asked to run is found, or refused in one sentence with a hint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stlaunch.errors import UsageError
from stlaunch.settings.target import TargetKind, is_import_string, resolve_target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("app.py", "other.py", "notes.md", "pkg/streamlit_app.py", "bare/one.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "dir.py").mkdir()
    (tmp_path / "dir.py" / "streamlit_app.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("app.py", "app.py"),
        ("./app.py", "app.py"),
        ("pkg/../app.py", "app.py"),
        ("pkg", "pkg/streamlit_app.py"),
        ("pkg/", "pkg/streamlit_app.py"),
        ("dir.py", "dir.py/streamlit_app.py"),
    ],
)
def test_script_is_found(folder: Path, text: str, found: str) -> None:
    target = resolve_target(text, folder)

    assert target.kind is TargetKind.SCRIPT
    assert target.path == folder / found
    assert target.import_string is None


def test_absolute_script_is_found_from_anywhere(folder: Path) -> None:
    assert resolve_target(str(folder / "app.py"), folder / "empty").path == folder / "app.py"


def test_current_folder_is_an_app(folder: Path) -> None:
    assert resolve_target(".", folder / "pkg").path == folder / "pkg" / "streamlit_app.py"


@pytest.mark.parametrize("text", ["main:app", "package.module:factory.app"])
def test_import_string_is_taken(folder: Path, text: str) -> None:
    target = resolve_target(text, folder)

    assert target.kind is TargetKind.ASGI_IMPORT
    assert (target.path, target.import_string) == (None, text)


@pytest.mark.parametrize(
    "text", ["main", "a b:c", "main:", ":app", "main.py:app", "a/b:c", "a:b:c"]
)
def test_other_text_is_no_import_string(text: str) -> None:
    assert not is_import_string(text)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param("ap.py", "script 'ap.py' does not exist", "'app.py'?", id="misspelt"),
        pytest.param("app", "app 'app' does not exist", "'app.py'?", id="without-suffix"),
        pytest.param("./oter.py", "does not exist", "'./other.py'?", id="spelled-as-begun"),
        pytest.param("demmo", "does not exist", "'demo'?", id="command"),
        pytest.param("zzz.py", "does not exist", "Looked in", id="nothing-close"),
        pytest.param("no/app.py", "does not exist", "no folder", id="missing-folder"),
        pytest.param("app.py/x.py", "does not exist", "no folder", id="below-a-file"),
        pytest.param("app.py:app", "mixes a file name", "app:app", id="file-and-attribute"),
        pytest.param("bare", "has no streamlit_app.py", "one.py", id="folder-without-app"),
        pytest.param("empty", "has no streamlit_app.py", "no Python file", id="empty-folder"),
        pytest.param("notes.md", "is not a Python script", "Python file", id="not-python"),
        pytest.param("https://h/app.py", "is a URL", "Download", id="url"),
        pytest.param("", "is empty", "stlaunch app.py", id="no-text"),
        pytest.param("a\0b", "does not exist", "Looked in", id="null-byte"),
        pytest.param("x" * 5000, "cannot be opened", "Check the name", id="endless-name"),
    ],
)
def test_bad_target_is_refused(folder: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_target(text, folder, commands=["demo"])

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_unreadable_script_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: permission denied"):
        resolve_target("app.py", folder, can_read=lambda _path: False)


def test_pipe_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")

    with pytest.raises(UsageError, match="not a regular file"):
        resolve_target("pipe.py", folder)


def test_long_list_of_scripts_is_cut(folder: Path) -> None:
    for number in range(9):
        (folder / "empty" / f"page{number}.py").touch()

    with pytest.raises(UsageError) as caught:
        resolve_target("empty", folder)

    assert caught.value.hint.endswith("page4.py, ....")
