"""Folders in a temporary folder, which another user may have created first."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.errors import StartError
from stlaunch.gateway.assets import asset_folder
from stlaunch.lint import edits
from stlaunch.storage import running_apps
from stlaunch.storage.private_folders import is_private
from stlaunch.storage.state_folder import claim_state, ensure_home, state_folder

URL = "http://evil.test/"
FAULTS = ["writable", "link", "stranger"]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder, and no home where anything could be kept."""
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("TMPDIR", str(shared))
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return shared


def _plant(shared: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    planted = shared / f"stlaunch-{os.getuid()}"
    real = shared / "elsewhere" if fault == "link" else planted
    (real / running_apps.FOLDER).mkdir(parents=True)
    (real / running_apps.FOLDER / "1").write_text(running_apps.describe(os.getpid(), URL))
    match fault:
        case "writable":
            planted.chmod(0o777)
        case "link":
            planted.symlink_to(real)
        case "stranger":
            monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
        case _:
            planted.chmod(0o700)
    return planted


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_folder_is_not_read_by_health(
    shared: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted one would decide which server `stlaunch health` asks."""
    _plant(shared, fault, monkeypatch)

    assert URL not in running_apps.running_urls({**os.environ, "TMPDIR": str(shared)})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_folder_keeps_no_state(
    shared: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration that a start applies is read back from there."""
    planted = _plant(shared, fault, monkeypatch)

    assert not is_private(planted)
    assert state_folder(Path("/srv/app.py"), os.environ) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_made_inside_of_a_planted_folder(
    shared: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither compressed files nor backups: a planted link leads anywhere."""
    planted = _plant(shared, fault, monkeypatch)
    before = sorted(planted.rglob("*"))
    loaded = shared / "sites-enabled" / "app"
    loaded.parent.mkdir()
    loaded.write_text("before\n")
    monkeypatch.setattr("tempfile.tempdir", str(shared))

    with pytest.raises(StartError, match="No private folder is writable for a backup"):
        edits.apply({loaded: ("before\n", "after\n")}, os.environ)

    assert asset_folder({}) is None
    assert sorted(planted.rglob("*")) == before


def test_our_own_folder_is_used(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = _plant(shared, "none", monkeypatch)
    folder = state_folder(Path("/srv/app.py"), os.environ)

    assert folder is not None
    assert folder.parent == planted
    assert URL in running_apps.running_urls({**os.environ, "TMPDIR": str(shared)})


def test_a_new_folder_is_closed_to_others(shared: Path) -> None:
    before = os.umask(0o002)
    try:
        folder = state_folder(Path("/srv/app.py"), os.environ)
        assert folder is not None
        assert not folder.parent.exists()  # a plan makes nothing
        assert claim_state(folder, os.environ)
    finally:
        os.umask(before)

    assert folder.parent.stat().st_mode & 0o777 == 0o700


def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_user: int) -> None:
        raise KeyError

    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr("pwd.getpwuid", nobody)


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_a_home_of_our_own_is_nobody_elses(
    shared: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the shared folder itself, nor one that somebody made for us there."""
    (shared / ".streamlit").mkdir()
    planted = _plant(shared, fault, monkeypatch) if fault else None
    _no_home(monkeypatch)

    ensure_home(os.environ)

    home = Path(os.environ["HOME"])
    assert home != shared
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert not (home / ".streamlit").exists()
    assert planted is None or planted not in home.parents


def test_a_planted_configuration_is_not_obeyed(shared: Path, tmp_path: Path) -> None:
    """Streamlit, as a user without HOME and passwd entry, with somebody's file in /tmp."""
    (shared / ".streamlit").mkdir()
    (shared / ".streamlit" / "config.toml").write_text("[server]\nport = 4321\n")
    (tmp_path / "app.py").write_text("import streamlit\n")
    code = (
        "import os, pwd, sys\n"
        "def nobody(_): raise KeyError\n"
        "pwd.getpwuid = nobody\n"
        "from stlaunch.__main__ import entrypoint\n"
        "sys.argv = ['stlaunch', 'app.py', '--dry-run', '--json']\n"
        "sys.exit(entrypoint())\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "4321" not in done.stdout + done.stderr
