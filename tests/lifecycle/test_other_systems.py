"""stlaunch where the names and files that Windows and macOS lack are hidden.

Not those systems themselves: see `tests.harness.elsewhere` for what is hidden.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from stlaunch.server.console import on_console_event
from stlaunch.storage.private_folders import is_private
from stlaunch.storage.state_roots import cache_roots, own_roots
from tests.harness import elsewhere
from tests.harness.protocol import open_session
from tests.lifecycle.running import DEADLINE_S, STLAUNCH, listening

AROUND = (sys.executable, "-P", "-X", "warn_default_encoding", elsewhere.__file__)
# As a Western European Windows has it for pipes.
ENVIRON = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
NGINX = """\
server {
    listen 80;
    location /streamlitApp/ {
        proxy_pass http://127.0.0.1:8501/;
    }
}
"""


def _run(folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command there; return exit code, stdout and stderr."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ST")}
    done = subprocess.run(
        [*AROUND, *STLAUNCH, *words],
        cwd=folder,
        env={**environ, **ENVIRON, "HOME": str(folder)},
        capture_output=True,
        encoding="cp1252",
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_an_app_starts_answers_is_checked_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    """The main job, the commands that ask a running app, and nothing that is left in its folder."""
    with listening(
        tmp_path, "--behind-proxy", "/streamlitApp", around=AROUND, env=ENVIRON
    ) as running:
        status, _, page = running.get("/streamlitApp/")
        with open_session(f"{running.url}streamlitApp/") as session:
            shown = session.shown()
        health = _run(tmp_path, "health")
        check = _run(tmp_path, "check", "--markdown")
        (facts,) = (tmp_path / ".local/state/stlaunch/running").iterdir()
        running.send(signal.SIGINT)
        code = running.wait()
        log = running.log()
    after = _run(tmp_path, "health")

    assert (status, "_stlaunch/page.js" in page, "finished" in shown) == (200, True, True), log
    assert health == (0, f"{running.url}streamlitApp/ ready\n", "")
    assert check[0] == 0, check
    assert code == 130, log
    assert not facts.exists()
    assert "Traceback" not in log
    assert "127.0.0.1:8501" in after[2]  # no app is listed any more


@pytest.mark.parametrize(
    ("words", "code", "wanted"),
    [
        (["app.py", "--dry-run"], 0, "would listen on"),
        (["detect"], 0, "trusted_proxies"),
        (["config", "app.py"], 0, "behind_proxy"),
        (["explain", "STL301"], 0, "Upgrade"),
        (["guide", "inside"], 0, "WebSocket"),
        (["proxy", "nginx", "app.py"], 0, "proxy_set_header"),
        (["lint", "nginx.conf"], 1, "STL301"),
        (["lint", "nginx.conf", "--fix"], 0, "Changed 1 file"),
        (["check", "http://127.0.0.1:1/"], 1, "STL102"),
        (["--version"], 0, "stlaunch"),
        (["--help"], 0, "Examples"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_command_needs_no_posix_name(
    tmp_path: Path, words: list[str], code: int, wanted: str
) -> None:
    (tmp_path / "app.py").write_text("import streamlit\n", encoding="utf-8")
    (tmp_path / "nginx.conf").write_text(NGINX, encoding="utf-8")
    ended, out, err = _run(tmp_path, *words)

    assert (ended, wanted in out + err) == (code, True), out + err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["app.py", "--uds", "app.sock"], "Unix sockets"),
        (["replicas", "2", "app.py"], "process groups"),
        (["demo"], "process groups"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_needs_unix_says_so_in_one_sentence(
    tmp_path: Path, words: list[str], missing: str
) -> None:
    (tmp_path / "app.py").write_text("import streamlit\n", encoding="utf-8")
    ended, out, err = _run(tmp_path, *words)

    assert (ended, out) == (3, ""), err
    assert err.startswith("Error: ")
    assert missing in err.splitlines()[0]
    assert err.splitlines()[1].startswith("Hint: ")


def test_health_of_a_unix_socket_says_what_is_missing(tmp_path: Path) -> None:
    ended, _, err = _run(tmp_path, "health", "unix:/run/app.sock:/")

    assert (ended, "Unix sockets" in err) == (2, True), err


def test_what_is_hidden_is_really_hidden(tmp_path: Path) -> None:
    """Or the tests above would show nothing."""
    (tmp_path / "probe.py").write_text(
        "import asyncio, os, signal, socket\n"
        "for name in ('resource', 'fcntl', 'pwd'):\n"
        "    try: __import__(name)\n"
        "    except ImportError: print('no', name)\n"
        "print(hasattr(os, 'fork'), hasattr(os, 'getuid'), hasattr(os, 'killpg'))\n"
        "print(hasattr(signal, 'SIGHUP'), hasattr(socket, 'AF_UNIX'), os.path.exists('/proc/1'))\n"
        "for ask in (open, os.listdir, os.readlink):\n"
        "    try: ask('/proc/self/stat')\n"
        "    except FileNotFoundError: print('no file')\n"
        "async def main(): asyncio.get_running_loop().add_signal_handler(2, print)\n"
        "try: asyncio.run(main())\n"
        "except NotImplementedError: print('no handler')\n"
    )
    done = subprocess.run(
        [*AROUND, sys.executable, "-m", "probe"],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == [
        "no resource", "no fcntl", "no pwd", "False False False", "False False False",
        "no file", "no file", "no file", "no handler",
    ]  # fmt: skip


LOCAL = "C:/Users/jane/AppData/Local"


@pytest.mark.parametrize(
    ("environ", "system", "state", "cache"),
    [
        ({"LOCALAPPDATA": LOCAL}, "win32", f"{LOCAL}/stlaunch", f"{LOCAL}/stlaunch/Cache"),
        (
            {"HOME": "/Users/jane"},
            "darwin",
            "/Users/jane/Library/Application Support/stlaunch",
            "/Users/jane/Library/Caches/stlaunch",
        ),
        (
            {"HOME": "/home/jane"},
            "linux",
            "/home/jane/.local/state/stlaunch",
            "/home/jane/.cache/stlaunch",
        ),
        (
            {"HOME": "/h", "XDG_STATE_HOME": "/state", "XDG_CACHE_HOME": "/cache"},
            "darwin",
            "/state/stlaunch",
            "/cache/stlaunch",
        ),
    ],
    ids=["windows", "macos", "linux", "xdg"],
)
def test_folders_are_the_ones_of_the_system(
    environ: Mapping[str, str], system: str, state: str, cache: str
) -> None:
    """The ones that platformdirs has, which `stlaunch health` is too quick to import."""
    assert own_roots(environ, system)[0] == state
    assert cache_roots(environ, system)[0] == cache


def test_without_owners_a_private_folder_is_one_in_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a link leads; Windows keeps other users out of a home."""
    monkeypatch.delattr(os, "geteuid")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    inside, outside = tmp_path / "home" / "inside", tmp_path / "homes"
    inside.mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    (tmp_path / "home" / "out").symlink_to(outside)

    assert is_private(inside)
    assert not is_private(outside)
    assert not is_private(tmp_path / "home" / "out" / "deep")
    assert not is_private(tmp_path / "home" / "none")


@pytest.mark.parametrize(
    ("event", "is_ours"),
    [(0, False), (1, False), (2, True), (5, True), (6, True)],
    ids=["ctrl-c", "ctrl-break", "close", "logoff", "shutdown"],
)
def test_a_closed_console_stops_the_app_and_waits(event: int, is_ours: bool) -> None:
    """Windows ends the process when the handler returns, so it must not before the app has."""
    said: list[str] = []

    assert (
        on_console_event(event, lambda: said.append("stop"), wait=lambda _: said.append("wait"))
        is is_ours
    )
    assert said == (["stop", "wait"] if is_ours else [])
