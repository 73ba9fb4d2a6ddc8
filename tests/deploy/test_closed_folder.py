"""A unit's own user cannot start what is in a private folder: the unit and the command say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.deploy import DeployKind, render
from stlaunch.deploy.closed_folder import closed_folder
from tests.deploy.golden import make_deployment
from tests.deploy.test_generated import run_deploy


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder below folders that everybody can enter, as far as they are the test's own."""
    home = tmp_path / "jane"
    (home / "app").mkdir(parents=True)
    (home / "app" / "app.py").write_text("import streamlit\n")
    return home


def own_closed(path: Path, top: Path) -> Path | None:
    """Return the closed folder, if it is one of the test's: those above may be private."""
    modes = {folder: folder.stat().st_mode for folder in (top, *top.parents)}
    closable = [folder for folder, mode in modes.items() if not mode & 0o001]
    for folder in closable:
        folder.chmod(modes[folder] | 0o001)
    try:
        return closed_folder([path])
    finally:
        for folder in closable:
            folder.chmod(modes[folder])


@pytest.mark.parametrize(
    ("mode", "is_closed"), [(0o700, True), (0o750, True), (0o711, False), (0o755, False)]
)
def test_a_folder_is_closed_if_others_cannot_enter_it(
    mode: int, is_closed: bool, home: Path
) -> None:
    home.chmod(mode)

    expected = home if is_closed else None
    assert own_closed(home / "app" / "app.py", home.parent) == expected


def test_links_into_a_closed_folder_are_followed(home: Path) -> None:
    """As the Python of an environment that uv made."""
    home.chmod(0o700)
    link = home.parent / "python"
    link.symlink_to(home / "app" / "app.py")

    assert own_closed(link, home.parent) == home


def test_a_folder_that_is_gone_is_not_closed(tmp_path: Path) -> None:
    assert own_closed(tmp_path / "gone" / "app.py", tmp_path) is None


def test_units_name_the_closed_folder() -> None:
    closed = make_deployment(closed_folder="/home/jane")
    services = [file.text for file in render(DeployKind.SYSTEMD, closed)[:2]]

    assert all(
        "# The units run as a user of their own, which cannot enter /home/jane:" in text
        for text in services
    )
    assert all("/home/" not in file.text for file in render(DeployKind.SYSTEMD, make_deployment()))


def test_command_says_it_for_units_alone(home: Path) -> None:
    home.chmod(0o700)
    units = run_deploy("systemd", "app.py", cwd=home / "app")
    image = run_deploy("dockerfile", "app.py", cwd=home / "app")

    assert "cannot enter" in units.stderr
    assert "User=OWNER" in units.stderr
    assert (units.returncode, image.returncode, image.stderr) == (0, 0, "")
