"""Temporary folders: gone with their owner, also with one that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stlaunch.storage.temporary_folder import TemporaryFolder

OWNER = """\
from stlaunch.storage.temporary_folder import TemporaryFolder
print(TemporaryFolder("owner").path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_the_next_owner_removes_what_a_killed_one_left(shared: Path) -> None:
    """While the owner lives, nobody touches its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        left = Path(owner.stdout.readline().strip())
        (left / "1.sock").touch()
        TemporaryFolder("next").remove()
        was_kept = (left / "1.sock").exists()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    TemporaryFolder("next").remove()

    assert was_kept
    assert list(shared.iterdir()) == []


@pytest.mark.parametrize("what", ["without-a-lock", "open-to-others", "a-link"])
def test_nothing_else_is_removed(shared: Path, what: str) -> None:
    """What has no owner's file, may be written by others, or is a link into somewhere else."""
    folder = shared / f"stlaunch-{what}"
    target = shared / "elsewhere"
    target.mkdir(mode=0o700)
    (target / ".owner").touch()
    if what == "a-link":
        folder.symlink_to(target)
    else:
        folder.mkdir(mode=0o700)
        if what == "open-to-others":
            (folder / ".owner").touch()
            folder.chmod(0o777)
    TemporaryFolder("next").remove()

    assert folder.exists()
    assert (target / ".owner").exists()
