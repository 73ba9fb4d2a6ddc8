"""The app's configuration: the generated config.toml, the user's files, variables and flags."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stlaunch.diagnostics.catalogue import entry
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, start_server

REPORT = """
import json
import sys
import streamlit as st

keys = json.loads(KEYS)
st.text(json.dumps({
    "options": {key: st.get_option(key) for key in keys},
    "argv": sys.argv,
    "path": sys.path[0],
    "secret": dict(st.secrets).get("word"),
}))
"""
KEYS = (
    "server.baseUrlPath", "server.address", "server.port", "server.headless", "server.enableCORS",
    "server.enableXsrfProtection", "server.corsAllowedOrigins", "browser.serverAddress",
    "browser.serverPort", "browser.gatherUsageStats", "server.showEmailPrompt",
    "server.maxUploadSize", "server.enableStaticServing", "client.toolbarMode",
    "theme.primaryColor", "runner.postScriptGC",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    keys = repr(json.dumps(KEYS))
    (tmp_path / "app.py").write_text(REPORT.replace("KEYS", keys), encoding="utf-8")
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text('word = "mellon"\n', encoding="utf-8")
    return tmp_path


@contextmanager
def _serve(project: Path, *words: str, **environ: str) -> Iterator[RunningServer]:
    port = free_port()
    flags = ["--host", "127.0.0.1", "--port", str(port)]
    with start_server(
        [sys.executable, "-m", "stlaunch", "app.py", *flags, *words],
        cwd=project,
        env={"HOME": str(project / "home"), **environ},
        ready_path="/_stlaunch/health",
        port=port,
    ) as server:
        yield server


def _report(server: RunningServer, front: str = "") -> dict[str, Any]:
    with open_session(server.url + front) as session:
        found: dict[str, Any] = json.loads(session.shown())
        return found


def _flat(tables: dict[str, Any], front: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        flat |= (
            _flat(value, f"{front}{name}.") if isinstance(value, dict) else {front + name: value}
        )
    return flat


def test_the_app_runs_with_the_generated_file(project: Path) -> None:
    """What the running app reports equals what the file says."""
    out = project / "out" / "config.toml"
    words = ["--config-out", str(out), "--public-url", "https://app.example.test/streamlitApp"]

    with _serve(project, *words) as server:
        seen = _report(server)
        written = _flat(tomllib.loads(out.read_text(encoding="utf-8")))

    assert {key: seen["options"][key] for key in written} == written
    assert written["server.baseUrlPath"] == "streamlitApp"
    assert written["server.corsAllowedOrigins"] == ["https://app.example.test"]
    assert (written["browser.serverAddress"], written["browser.serverPort"]) == (
        "app.example.test", 443,
    )  # fmt: skip
    assert written["server.enableCORS"] is written["server.enableXsrfProtection"] is True
    assert not [path for path in out.parent.iterdir() if path != out]


def test_precedence_is_streamlits_own(project: Path) -> None:
    """Files, then variables, then flags; what the user set stays, the files are not touched."""
    config = project / ".streamlit" / "config.toml"
    text = (
        "# mine\n[server]\nmaxUploadSize = 7\nenableStaticServing = true\n"
        '[client]\ntoolbarMode = "minimal"\n[theme]\nprimaryColor = "#111111"\n'
        "[browser]\ngatherUsageStats = true\n"
    )
    config.write_text(text, encoding="utf-8")
    home = project / "home" / ".streamlit" / "config.toml"
    home.parent.mkdir(parents=True)
    home.write_text("[server]\nmaxUploadSize = 5\n", encoding="utf-8")
    words = ["--theme.primaryColor=#333333", "--client.toolbarMode", "viewer"]

    with _serve(
        project, *words, "--", "--mine", "1", STREAMLIT_THEME_PRIMARY_COLOR="#222222",
        STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS="https://a.test https://b.test",
    ) as server:  # fmt: skip
        seen = _report(server)
    options = seen["options"]

    assert options["server.maxUploadSize"] == 7
    assert options["server.enableStaticServing"] is True
    assert options["theme.primaryColor"] == "#333333"
    assert options["client.toolbarMode"] == "viewer"
    assert options["browser.gatherUsageStats"] is True
    assert options["server.corsAllowedOrigins"] == ["https://a.test", "https://b.test"]
    assert config.read_text(encoding="utf-8") == text
    assert seen["argv"] == [str(project / "app.py"), "--mine", "1"]
    assert seen["path"] == str(project)
    assert seen["secret"] == "mellon"


def test_a_file_next_to_the_script_goes_before_the_folders_and_the_home_folders(
    project: Path,
) -> None:
    """The three places that Streamlit reads, in its order; address and port may be there too."""
    port = free_port()
    script = project / "scripts" / "app.py"
    places = (project / "home", project, script.parent)
    texts = (
        f'client.toolbarMode = "viewer"\n[server]\naddress = "127.0.0.1"\nport = {port}\n',
        '[server]\nmaxUploadSize = 2\n[client]\ntoolbarMode = "minimal"\n',
        "[server]\nmaxUploadSize = 3\n",
    )
    for folder, text in zip(places, texts, strict=True):
        config = folder / ".streamlit" / "config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(text, encoding="utf-8")
    (project / "app.py").rename(script)

    with start_server(
        [sys.executable, "-m", "stlaunch", "scripts/app.py"],
        cwd=project, env={"HOME": str(project / "home")}, ready_path="/_stlaunch/health", port=port,
    ) as server:  # fmt: skip
        options = _report(server)["options"]

    assert (options["server.address"], options["server.port"]) == ("127.0.0.1", port)
    assert options["client.toolbarMode"] == "minimal"
    assert options["server.maxUploadSize"] == 3
    assert tuple(
        (folder / ".streamlit" / "config.toml").read_text(encoding="utf-8") for folder in places
    ) == texts  # fmt: skip


def test_repeated_flags_make_a_list_and_variables_may_be_switches(project: Path) -> None:
    """A list adds up, the last of two single values counts, and our own origins join the user's."""
    words = [
        "--server.corsAllowedOrigins", "https://a.test",
        "--server.corsAllowedOrigins=https://b.test",
        "--allow-origin", "https://portal.test",
        "--server.maxUploadSize", "3", "--server.maxUploadSize=4",
    ]  # fmt: skip
    with _serve(project, *words, STREAMLIT_SERVER_ENABLE_STATIC_SERVING="true") as server:
        options = _report(server)["options"]

    assert options["server.corsAllowedOrigins"] == [
        "https://a.test", "https://b.test", "https://portal.test",
    ]  # fmt: skip
    assert options["server.maxUploadSize"] == 4
    assert options["server.enableStaticServing"] is True


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(project: Path) -> None:
    """Its options are those of the file that a launch then writes."""
    out = project / "out" / "config.toml"
    words = ["--behind-proxy", "/app", "--config-out", str(out)]
    with _serve(project, *words) as server:
        written = _flat(tomllib.loads(out.read_text(encoding="utf-8")))
    out.unlink()

    flags = ["--host", "127.0.0.1", "--port", str(server.port), "--dry-run", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "stlaunch", "app.py", *words, *flags],
        cwd=project, env=server.env, capture_output=True, text=True, timeout=170, check=True,
    )  # fmt: skip
    plan = json.loads(done.stdout)

    assert plan["streamlit_options"] == written
    assert not list(out.parent.iterdir())


def test_an_explicit_flag_overrules_a_file_and_says_so(project: Path) -> None:
    """`--behind-proxy` wins over `server.baseUrlPath`, `--port` over `server.port`, with a line."""
    config = project / ".streamlit" / "config.toml"
    config.write_text('[server]\nbaseUrlPath = "old"\nport = 1\n', encoding="utf-8")

    with _serve(project, "--behind-proxy", "/new") as server:
        seen = _report(server)
        log = server.log()

    assert seen["options"]["server.baseUrlPath"] == "new"
    assert seen["options"]["server.port"] == server.port
    assert f"--behind-proxy (/new) overrides server.baseUrlPath (/old) from {config}" in log
    assert f"--port ({server.port}) overrides 1 from {config}" in log


def test_a_base_path_of_the_users_own_is_taken_over(project: Path) -> None:
    """Someone who set `server.baseUrlPath` gets any prefix mode without saying it twice."""
    config = project / ".streamlit" / "config.toml"
    config.write_text('[server]\nbaseUrlPath = "mine"\n', encoding="utf-8")

    with _serve(project) as server, open_session(server.url + "mine/") as session:
        assert '"server.baseUrlPath": "mine"' in session.shown()


def test_cors_that_was_switched_off_is_honoured_with_a_warning(project: Path) -> None:
    """The user's choice counts, and the warning calls it what it is."""
    config = project / ".streamlit" / "config.toml"
    config.write_text("[server]\nenableCORS = false\nenableXsrfProtection = false\n")

    with _serve(project) as server:
        with open_session(server.url, {"Origin": "https://anywhere.test", "Cookie": "a=b"}):
            pass
        with urllib.request.urlopen(f"{server.url}_stlaunch/check?json", timeout=30) as answer:
            findings = json.load(answer)["findings"]
        log = server.log()

    fix = " ".join(entry("STL502").fix.split())  # as `stlaunch check` says
    assert f"STL502 server.enableCORS is false ({config}" in log
    assert f"every website may open this app's WebSocket. {fix} stlaunch works with it on." in log
    assert [one["code"] for one in findings] == ["STL502", "STL511"]
    assert findings[0]["title"].startswith("server.enableCORS is false: every website")
    assert findings[0]["fix"] == f"{fix} stlaunch works with it on."
    assert "Remove server.enableXsrfProtection=false" in findings[1]["fix"]
    assert "Remove server.enableXsrfProtection=false" in log


def test_in_memory_where_nothing_is_writable(project: Path) -> None:
    """No folder for the file is no reason not to start; the banner says so."""
    # /proc looks writable to root and is not; there is nothing to fall back to below it.
    environ = {"XDG_STATE_HOME": "/proc/nowhere", "HOME": "/proc", "TMPDIR": "/proc"}
    with _serve(project, "--behind-proxy", "/app", **environ) as server:
        seen = _report(server)
        log = server.log()

    assert seen["options"]["server.baseUrlPath"] == "app"
    assert "in memory" in log


@pytest.mark.parametrize(
    ("has_temporary", "expected"),
    [(True, "{project}/tmp/stlaunch-0/app-"), (False, "in memory")],
    ids=["temporary-folder", "in-memory"],
)
def test_a_read_only_root_is_no_obstacle(
    project: Path, *, has_temporary: bool, expected: str
) -> None:
    """As in a hardened container: the kernel refuses to write, with or without a tmpfs."""
    port = free_port()
    (project / "tmp").mkdir()
    stlaunch = f"{sys.executable} -m stlaunch app.py --behind-proxy /app"
    command = "".join((
        "mount -t tmpfs none tmp && " if has_temporary else "",
        "mount -o remount,bind,ro / && unset HOME && ",
        f"exec {stlaunch} --host 127.0.0.1 --port {port}",
    ))  # fmt: skip
    with start_server(
        ["unshare", "--mount", "sh", "-c", command],
        cwd=project, env={"TMPDIR": str(project / "tmp")}, ready_path="/_stlaunch/health",
        port=port,
    ) as server:  # fmt: skip
        seen = _report(server, "app/")
        log = server.log()

    assert seen["options"]["server.baseUrlPath"] == "app"
    assert expected.format(project=project) in log


def test_a_full_disk_is_no_obstacle(project: Path) -> None:
    """Nothing can be written for state, cache and temporary files; none is left half-written."""
    port = free_port()
    (project / "full").mkdir()
    command = (
        "mount -t tmpfs -o size=64k none full && { cat /dev/zero >full/filler || true; } 2>&1 && "
        f"exec {sys.executable} -m stlaunch app.py --behind-proxy /app "
        f"--host 127.0.0.1 --port {port}"
    )
    full = str(project / "full")
    places = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR")
    with start_server(
        ["unshare", "--mount", "sh", "-c", command],
        cwd=project, env=dict.fromkeys(places, full), ready_path="/_stlaunch/health", port=port,
    ) as server:  # fmt: skip
        seen = _report(server, "app/")
        # The file system of its own mount namespace, seen through the process.
        inside = Path(f"/proc/{server.pid}/root{full}")
        written = [path for path in inside.rglob("*") if path.is_file() and path.stat().st_size]
        log = server.log()

    assert seen["options"]["server.baseUrlPath"] == "app"
    assert "in memory" in log
    assert "Traceback" not in log
    assert [path.name for path in written] == ["filler"]


def test_a_reloaded_configuration_keeps_the_base_path(project: Path) -> None:
    """Editing config.toml while the app runs does not take its path away."""
    config = project / ".streamlit" / "config.toml"
    config.write_text('[theme]\nprimaryColor = "#111111"\n', encoding="utf-8")
    with _serve(project, "--behind-proxy", "/app") as server:
        before = _report(server, "app/")
        config.write_text('[theme]\nprimaryColor = "#999999"\n', encoding="utf-8")
        # Streamlit shows a script the new options while it is still filling them in: what counts is
        # what they are then.
        expected = {
            "theme.primaryColor": "#999999",
            "server.baseUrlPath": "app",
            "server.port": server.port,
        }
        deadline = time.monotonic() + 60
        while not expected.items() <= (after := _report(server, "app/")["options"]).items():
            assert time.monotonic() < deadline, f"the configuration was never right again: {after}"
        with urllib.request.urlopen(f"{server.url}app/", timeout=60) as response:
            page = response.read().decode()

    assert before["options"]["theme.primaryColor"] == "#111111"
    assert 'data-base="/app"' in page
