"""What `stlaunch deploy` writes: the same every time, refused rather than misread."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.cli.deploy import default_name
from stlaunch.deploy import DeployKind, GeneratedFile, render, write_files
from stlaunch.errors import StartError, UsageError
from stlaunch.urls.base_path import BasePath
from tests.deploy.golden import FOLDER, files, make_deployment


def run_deploy(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", "deploy", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A script in a folder with a blank; its parents are private, as a home folder is."""
    folder = tmp_path / "Sales Report"
    folder.mkdir()
    (folder / "app.py").write_text("import streamlit\n")
    return folder


# --- the text


@pytest.mark.parametrize("kind", DeployKind)
def test_files_are_the_golden_ones(kind: DeployKind) -> None:
    """Regenerate with `python -m tests.deploy.golden`, and review the difference."""
    golden = {path.name: path.read_text("utf-8") for path in (FOLDER / kind).iterdir()}

    assert {file.name.lstrip("."): file.text for file in files(kind)} == golden


@pytest.mark.parametrize("kind", DeployKind)
def test_files_are_the_same_again_and_hold_no_secret(kind: DeployKind) -> None:
    assert files(kind) == files(kind)
    for file in files(kind):
        assert not re.search(r"SECRET(=|: *)[\"']?[A-Za-z0-9+/]{8,}", file.text)
        assert all(line == line.rstrip() for line in file.text.splitlines())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"name": "a b"}, "name 'a b'", id="name-blank"),
        pytest.param({"name": "x\nUser=root"}, "name", id="name-line"),
        pytest.param({"name": "a" * 41}, "name", id="name-long"),
        pytest.param({"script": "../app.py"}, "script", id="script-above"),
        pytest.param({"script": '"; rm -rf ~;.py'}, "script", id="script-shell"),
        pytest.param({"script": "-c.py"}, "script", id="script-flag"),
        pytest.param({"folder": "/opt/%i"}, "path '/opt/%i'", id="folder-specifier"),
        pytest.param({"folder": "/opt/a\nUser=root"}, "path", id="folder-line"),
        pytest.param({"program": "/opt/$HOME/x"}, "path", id="program-variable"),
        pytest.param({"base_path": BasePath("/a'b")}, "base path", id="base-quote"),
        pytest.param({"base_path": BasePath("/a%20b")}, "base path", id="base-percent"),
        pytest.param({"image": "hello"}, "not pinned", id="image-bare"),
        pytest.param({"image": "hello:latest"}, "not pinned", id="image-latest"),
        pytest.param({"image": 'hello:1"'}, "image", id="image-quote"),
        pytest.param({"image": "Hello:1"}, "image", id="image-upper"),
        pytest.param({"replicas": 0}, "replicas cannot be 0", id="none"),
        pytest.param({"replicas": 101}, "replicas cannot be 101", id="many"),
    ],
)
def test_what_could_be_misread_is_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError, match=re.escape(expected)) as caught:
        make_deployment(**changes)

    assert caught.value.hint


def test_digest_pins_an_image() -> None:
    image = "registry.example.com:5000/a/b:2@sha256:" + "0" * 64

    assert make_deployment(image=image).image == image


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("/x/Sales Report/app.py", "sales-report"),
        ("/x/y/dash_board.py", "dash-board"),
        ("/x/123/main.py", "app"),
        ("/x/é/streamlit_app.py", "app"),
    ],
)
def test_name_follows_the_script_or_its_folder(script: str, name: str) -> None:
    assert default_name(Path(script)) == name


# --- the files


def test_writing_leaves_work_alone(tmp_path: Path) -> None:
    """The same text is left, another one refused before anything is written; --force replaces."""
    first, second = GeneratedFile(name="a", text="1\n"), GeneratedFile(name="b", text="2\n")
    folder = tmp_path / "deep" / "er"
    assert write_files([first, second], folder, force=False) == (folder / "a", folder / "b")
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o644
    before = (folder / "a").stat()
    write_files([first, second], folder, force=False)
    after = (folder / "a").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    (folder / "a").unlink()
    (folder / "b").write_text("mine\n")
    with pytest.raises(
        UsageError, match="b already exists with different content; nothing was written"
    ):
        write_files([first, second], folder, force=False)
    assert sorted(path.name for path in folder.iterdir()) == ["b"]

    write_files([first, second], folder, force=True)
    assert (folder / "b").read_text() == "2\n"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_link_is_not_followed(tmp_path: Path) -> None:
    """A link that points out of the folder is replaced, never written through."""
    (tmp_path / "mine").write_text("mine\n")
    (tmp_path / "a").symlink_to(tmp_path / "mine")
    file = GeneratedFile(name="a", text="1\n")
    with pytest.raises(UsageError, match="a already exists"):
        write_files([file], tmp_path, force=False)
    write_files([file], tmp_path, force=True)

    assert (tmp_path / "mine").read_text() == "mine\n"
    assert (tmp_path / "a").read_text() == "1\n"


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises((UsageError, StartError), match=re.escape(str(tmp_path / "x"))):
        write_files([GeneratedFile(name="a", text="")], tmp_path / "x", force=False)


# --- the command


def test_command_prints_all_files_with_their_names(app: Path) -> None:
    done = run_deploy("systemd", "--behind-proxy", "/s", "app.py", cwd=app)

    assert done.returncode == 0
    names = ["sales-report.service", "sales-report@.service", "sales-report.target"]
    assert re.findall(r"^# ---- (.*)$", done.stdout, re.MULTILINE) == names
    assert f'"{app}/app.py" --behind-proxy /s --uds' in done.stdout


def test_command_writes_and_says_what(app: Path) -> None:
    (app / "requirements.txt").touch()
    done = run_deploy("dockerfile", "app.py", "-o", "out", cwd=app)

    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "out/Dockerfile\nout/.dockerignore\n",
        "",
    )
    assert "-r requirements.txt" in (app / "out" / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["nowhere"], "'nowhere' is not one of 'compose'", id="kind"),
        pytest.param(["compose", "nope.py"], "'nope.py' does not exist", id="app"),
        pytest.param(["compose", "main:app"], "is a module", id="module"),
        pytest.param(["compose", "app.py", "--force"], "--force needs -o", id="force"),
        pytest.param(["compose", "app.py", "--behind-proxy", "/a/../b"], "base path", id="path"),
    ],
)
def test_bad_arguments_are_reported(app: Path, words: list[str], expected: str) -> None:
    done = run_deploy(*words, cwd=app)

    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr.splitlines()[0]


def test_root_path_and_no_requirements_are_fine() -> None:
    deployment = make_deployment(base_path=BasePath(), public_url=None, has_requirements=False)
    (dockerfile, _) = render(DeployKind.DOCKERFILE, deployment)

    assert 'CMD ["app.py", "--behind-proxy", "/"]' in dockerfile.text
    assert "requirements" not in dockerfile.text
