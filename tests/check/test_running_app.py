"""`stlaunch check` without a URL: it checks the app that runs on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from stlaunch.errors import ExitCode
from stlaunch.storage import running_apps
from tests.conftest import REPOSITORY
from tests.harness.broken_nginx import BASE, start_broken
from tests.harness.ports import free_port
from tests.harness.server import stlaunch_app

FLAGS = ("--timeout", "90", "--json")


def check(environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it as the user whose environment that is."""
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", "check", *FLAGS],
        cwd=REPOSITORY, env={**environ, "COLUMNS": "100"}, capture_output=True, text=True,
        timeout=170, check=False,
    )  # fmt: skip


def home(folder: Path, *running: str) -> dict[str, str]:
    """Return the environment of a user for whom these files were written."""
    state = folder / ".local" / "state" / "stlaunch" / running_apps.FOLDER
    state.mkdir(parents=True)
    for number, text in enumerate(running):
        (state / str(number)).write_text(text)
    inherited = {name: text for name, text in os.environ.items() if name != "XDG_STATE_HOME"}
    return {**inherited, "HOME": str(folder), "TMPDIR": str(folder)}


@pytest.mark.proxy
@pytest.mark.parametrize("breakage", ["healthy", "stripped"])
def test_its_public_url_is_compared_with_its_own_address(hello_app: Path, breakage: str) -> None:
    port = free_port()
    with start_broken(breakage, port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}{BASE}/"
        with stlaunch_app(hello_app, port, "--public-url", url) as server:
            done = check(server.env)
    report = json.loads(done.stdout)
    rows = {name: (here, there) for name, here, there in report["proxied_and_direct"]}

    assert (report["url"], done.stderr) == (url, "")
    assert report["observations"]["direct"]["url"] == f"http://127.0.0.1:{port}{BASE}/"
    if breakage == "healthy":
        assert (done.returncode, report["verdict"]) == (ExitCode.OK, "healthy")
    else:  # the session was seen to run over HTTP: a warning
        assert (done.returncode, report["verdict"]) == (ExitCode.OK, "degraded")
        assert report["findings"][0]["code"] == "STL301"
        assert "without the proxy" not in report["findings"][0]["hop"]
        assert rows["WebSocket, browser"] == ("426 application/json", "101")
        assert rows["session"] == ("script finished over HTTP", "script finished")


def test_without_a_public_url_its_own_address_is_checked(hello_app: Path) -> None:
    """What it shows to this machine alone is not called open to everybody."""
    with stlaunch_app(hello_app, free_port(), "--behind-proxy", BASE) as server:
        done = check(server.env)
    report = json.loads(done.stdout)
    own = f"http://127.0.0.1:{server.port}{BASE}/"

    assert (done.returncode, report["url"]) == (ExitCode.OK, own)
    assert done.stderr == (
        f"The public URL is not known (set --public-url): checking {own} instead.\n"
    )
    assert "STL807" not in {finding["code"] for finding in report["findings"]}


def test_none_that_runs_is_a_usage_error(tmp_path: Path) -> None:
    done = check(home(tmp_path))

    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "none of your apps runs on this machine" in done.stderr
    assert "Hint: Run: stlaunch check https://example.com/streamlitApp/" in done.stderr


def test_several_are_named(tmp_path: Path) -> None:
    mine, parents = os.getpid(), os.getppid()
    done = check(
        home(
            tmp_path,
            running_apps.describe(mine, "http://127.0.0.1:1/", "https://one.example/app/"),
            running_apps.describe(parents, "http://127.0.0.1:2/"),
        )
    )

    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "https://one.example/app/" in done.stderr
    assert "http://127.0.0.1:2/" in done.stderr
    assert "Hint: Name one: stlaunch check URL" in done.stderr


def test_replicas_with_one_public_url_are_one_app(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/app/"
    replicas = [
        running_apps.describe(pid, f"unix:/run/{pid}.sock:/app/", url)
        for pid in (os.getpid(), os.getppid())
    ]
    done = check(home(tmp_path, *replicas))
    report = json.loads(done.stdout)

    assert (report["url"], report["findings"][0]["code"]) == (url, "STL102")
    assert report["observations"]["direct"] is None


def test_a_unix_socket_without_a_public_url_needs_one(tmp_path: Path) -> None:
    done = check(home(tmp_path, running_apps.describe(os.getpid(), "unix:/run/app.sock:/")))

    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "the app at unix:/run/app.sock:/ does not know its public URL" in done.stderr
    assert "Hint: Give the address in the browser's address bar: " in done.stderr
