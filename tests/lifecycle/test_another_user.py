"""Without HOME and passwd entry, where another user was first in the temporary folder of all.

Both users are real, and so are their folders.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stlaunch.storage import running_apps
from tests.harness.protocol import open_session
from tests.lifecycle.running import DEADLINE_S, STLAUNCH, as_user, listening

OURS, ANOTHER = 54321, 54322
NAME = f"stlaunch-{OURS}"
PLANTED_URL = "http://127.0.0.1:9/planted/"
KINDS = ("folder", "link to nothing", "link to his", "link to ours")
PLANTED = {
    ".streamlit/config.toml": "[server]\nmaxUploadSize = 4321\n",
    ".streamlit/secrets.toml": 'planted = "yes"\n',
    "running/1": "",
}
APP = """\
import os
from pathlib import Path

import streamlit as st

home = Path.home()
size = st.get_option("server.maxUploadSize")
st.write(f"home {home} {home.stat().st_uid} {home.stat().st_mode:o} size {size};")
st.write(f"secrets {st.secrets.load_if_toml_exists()};")
"""
WITHOUT_HOME = ("env", "-u", "HOME", "-u", "XDG_CACHE_HOME", "-u", "XDG_STATE_HOME")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A temporary folder like /tmp, with what Streamlit would obey if it were a home."""
    for user in (OURS, ANOTHER):
        with pytest.raises(KeyError):
            pwd.getpwuid(user)
    # Not pytest's own, which no other user may pass through.
    with tempfile.TemporaryDirectory(prefix="stlaunch-test-") as around:
        Path(around).chmod(0o755)
        shared = Path(around) / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        for folder in ("", ".local/state/stlaunch", ".cache/stlaunch"):
            _fill(shared / folder)
        _give(shared, ANOTHER, mode=0o777)
        yield shared


def _fill(folder: Path) -> None:
    facts = running_apps.describe(os.getpid(), PLANTED_URL)
    for name, text in PLANTED.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or facts)


def _give(folder: Path, user: int, *, mode: int) -> None:
    """Change the owner of all that is in a folder; the folder itself stays."""
    for path in folder.rglob("*"):
        os.lchown(path, user, user)
        if not path.is_symlink():
            path.chmod(mode)


def _plant(shared: Path, kind: str) -> None:
    """Take the name that our private folder would have."""
    elsewhere = shared.parent / "elsewhere"
    elsewhere.mkdir()
    place = elsewhere / "stlaunch"
    taken = shared / NAME
    match kind:
        case "folder":
            _fill(taken)
            _fill(taken / "home")
        case "link to nothing":
            taken.symlink_to(elsewhere / "nothing")
        case _:
            _fill(place)
            _fill(place / "home")
            taken.symlink_to(place)
    _give(shared, ANOTHER, mode=0o777)
    is_ours = kind == "link to ours"
    _give(elsewhere, OURS if is_ours else ANOTHER, mode=0o700 if is_ours else 0o777)
    elsewhere.chmod(0o777)


def _everything(folder: Path) -> dict[str, tuple[object, ...]]:
    """What is in a folder: owners, modes, times, targets, contents."""
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
        target = str(path.readlink()) if path.is_symlink() else ""
        facts = (about.st_uid, about.st_mode, about.st_mtime_ns, target, content)
        found[str(path.relative_to(folder))] = facts
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_user_planted_is_neither_obeyed_nor_written_into(
    shared: Path, kind: str
) -> None:
    """Whatever has our name: what is in it stays as it is, and the app gets a home of its own."""
    _plant(shared, kind)
    folder = shared.parent
    before = {name: _everything(folder / name) for name in ("shared", "elsewhere")}
    around, environ = (*as_user(OURS, group=OURS), *WITHOUT_HOME), {"TMPDIR": str(shared)}

    with listening(folder, "--behind-proxy", around=around, env=environ, app=APP) as running:
        with open_session(running.url) as page:
            shown = page.shown()
        health = _run(shared, "health")
        running.send(signal.SIGTERM)
        code = running.wait()
        log = running.log()
    after = {name: _everything(folder / name) for name in ("shared", "elsewhere")}
    new = {name: facts for name, facts in after["shared"].items() if name not in before["shared"]}
    home = re.search(r"home (\S+) (\d+) (\d+) size (\d+);", shown)

    assert home, shown
    assert home.groups()[1:] == (str(OURS), "40700", "200")
    assert "secrets False;" in shown
    assert PLANTED_URL not in health.stdout + health.stderr
    assert code == 0, log
    assert after["elsewhere"] == before["elsewhere"]
    assert {**before["shared"], **new} == after["shared"]
    assert {shared / Path(name).parts[0] for name in new} == {Path(home[1])}


def test_a_home_for_one_process_is_removed_by_the_next(shared: Path) -> None:
    """While the name stays taken, repeated starts do not pile up homes."""
    _plant(shared, "folder")
    homes = []
    for _ in range(2):
        assert _run(shared, "app.py", "--dry-run").returncode == 0
        homes.append(set(shared.glob("stlaunch-home-*")))

    assert [len(found) for found in homes] == [1, 1]
    assert homes[0] != homes[1]


def test_a_name_that_nobody_took_is_ours(shared: Path) -> None:
    """The same home at each start, and closed to others."""
    for _ in range(2):
        assert _run(shared, "app.py", "--dry-run").returncode == 0
    new = {name: facts for name, facts in _everything(shared).items() if "stlaunch-" in name}

    assert {name: facts[:2] for name, facts in new.items()} == {
        NAME: (OURS, stat.S_IFDIR | 0o700),
        f"{NAME}/home": (OURS, stat.S_IFDIR | 0o700),
    }


def _run(shared: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of stlaunch to its end, as our user without HOME."""
    (shared.parent / "app.py").write_text(APP, encoding="utf-8")
    return subprocess.run(
        [*as_user(OURS, group=OURS), *WITHOUT_HOME, *STLAUNCH, *words],
        cwd=shared.parent, env={**os.environ, "TMPDIR": str(shared)},
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
