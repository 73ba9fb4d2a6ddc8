"""A disk that fills up, turns read-only or loses folders while the app runs."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.protocol import open_session
from tests.lifecycle.running import Running, listening

APP = "import streamlit as st\nst.write('shown')\n"
PLACES = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR", "HOME")
SMALL_DISK = (
    "unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=6m none disk && exec "$@"', "sh",
)  # fmt: skip


def fill(disk: Path, running: Running) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def turn_read_only(disk: Path, running: Running) -> None:
    inside = ["nsenter", f"--target={running.process.pid}", "--mount"]
    command = [*inside, "mount", "-o", "remount,ro", str(running._log.parent / "disk")]
    subprocess.run(command, check=True)


def remove_all(disk: Path, running: Running) -> None:
    for folder in disk.iterdir():
        shutil.rmtree(folder)


@pytest.mark.parametrize("harm", [fill, turn_read_only, remove_all])
def test_what_the_app_keeps_is_whole_or_not_there(
    tmp_path: Path, harm: Callable[[Path, Running], None]
) -> None:
    """State, cache, temporary files and HOME: sessions go on, and a path is learned all the same.

    What cannot be kept is lost for the next start, and nothing else; a folder that was removed is
    made again.
    """
    (tmp_path / "disk").mkdir()
    env = {name: str(tmp_path / "disk" / name.lower()) for name in PLACES}
    setup = SMALL_DISK[-2].replace("exec", f"mkdir {' '.join(env.values())} && exec")
    around = (*SMALL_DISK[:-2], setup, "sh")
    with listening(tmp_path, "--behind-proxy", around=around, env=env, app=APP) as running:
        # In its own mount namespace, seen through the process.
        disk = Path(f"/proc/{running.process.pid}/root{tmp_path}/disk")
        (asset,) = re.findall(r'static/js/index\.[^"]+\.js', running.get("/")[2])[:1]
        harm(disk, running)
        taught = running.get(f"/taught/{asset}", Accept_Encoding="gzip")[0]
        running.wait_until(lambda: "reached under /taught/" in running.log(), "the path")
        with open_session(running.url) as page:
            shown = page.shown()
        kept = {path.name: path.read_text() for path in disk.rglob("*paths.json*")}
        running.send(signal.SIGTERM)
        code = running.wait()

    assert taught == 200
    assert "shown" in shown
    assert code == 0
    assert "Traceback" not in running.log()
    assert kept == ({"paths.json": json.dumps(["/taught"])} if harm is remove_all else {})


def test_an_app_whose_folder_is_gone_goes_on_and_runs_a_new_one(tmp_path: Path) -> None:
    """Script and working folder: open pages go on; newcomers get an error until it is back."""
    folder = tmp_path / "app"
    folder.mkdir()
    with listening(folder, app=APP, env={"HOME": str(tmp_path)}) as running:
        with open_session(running.url) as page:
            before = page.shown()
            running._log = running._log.rename(tmp_path / "log")
            shutil.rmtree(folder)
            after = page.shown()
        with open_session(running.url) as newcomer:
            without = newcomer.shown()
        running.wait_until(lambda: "No such file or directory" in running.log(), "the error")
        folder.mkdir()
        (folder / "app.py").write_text(APP.replace("shown", "anew"), encoding="utf-8")
        with open_session(running.url) as newcomer:
            again = newcomer.shown()
        running.send(signal.SIGTERM)
        code = running.wait()

    assert "shown" in before
    assert "shown" in after
    assert "shown" not in without
    assert str(folder / "app.py") in running.log()
    assert "anew" in again
    assert code == 0
