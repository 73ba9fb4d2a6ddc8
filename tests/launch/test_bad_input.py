"""Bad input gets one sentence, a hint and its exit code; nothing is left half-written."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stlaunch.cli.entry import main
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import stlaunch_app

APP = "import streamlit as st\nst.title('Hello')\n"


def _run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(folder / "home"), "NO_COLOR": "1", **environ}
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", *words],
        cwd=folder, env=env, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


def _written(folder: Path) -> list[Path]:
    """Return the configurations that were written; each of them is whole."""
    files = [path for path in (folder / "home").rglob("*") if path.is_file()]
    configs = [path for path in files if path.name == "config.toml"]
    assert files == configs, "something half-written was left behind"
    for path in configs:
        tomllib.loads(path.read_text(encoding="utf-8"))
    return configs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    (tmp_path / "module.py").write_text("app = 1\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no app", encoding="utf-8")
    return tmp_path


USAGE = {
    "missing-script": (["ap.py"], "ap.py"),
    "folder-without-app": (["empty"], "streamlit_app.py"),
    "not-python": (["notes.txt"], "notes.txt"),
    "dots": (["app.py", "--behind-proxy", "/a/../b"], ".."),
    "double-slash": (["app.py", "--behind-proxy", "/a//b"], "//"),
    "query": (["app.py", "--behind-proxy", "/a?x"], "query"),
    "control": (["app.py", "--behind-proxy", "/a\x07"], "control"),
    "port-range": (["app.py", "--port", "65536"], "65536"),
    "port-word": (["app.py", "--port", "http"], "http"),
    "cidr": (["app.py", "--trusted-proxies", "10.0.0.0/33"], "10.0.0.0/33"),
    "star": (["app.py", "--trusted-proxies", "*"], "*"),
    "origin-path": (["app.py", "--allow-origin", "https://a.b/c"], "https://a.b/c"),
    "unknown-option": (["app.py", "--bind-proxy", "/a"], "--bind-proxy"),
    "unknown-streamlit": (["app.py", "--server.prot", "1"], "--server.prot"),
    "sensitive": (["app.py", "--server.cookieSecret", "x"], "--server.cookieSecret"),
    "wrong-type": (["app.py", "--server.headless", "perhaps"], "perhaps"),
    "contradiction": (
        ["app.py", "--behind-proxy", "/a", "--public-url", "https://x.test/b"], "--public-url",
    ),
    "public-url": (["app.py", "--public-url", "app.example.test"], "app.example.test"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "named"), USAGE.values(), ids=USAGE)
def test_usage_error(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    named: str,
) -> None:
    """One `Error:` line with the value, a `Hint:`, exit code 2, nothing written."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("NO_COLOR", "1")

    code = main(words)

    _is_usage_error(code, capsys.readouterr().err, named)
    assert not _written(folder)


HINTS = {
    "path-with-space": (["my", "app.py"], "Write its name in quotes: 'my app.py'"),
    "command": (["chek", "http://x.test"], "Did you mean 'check'?"),
    "url-to-run": (["http://x.test"], "stlaunch check http://x.test"),
    "url-for-a-shell": (["http://x.test/;ls"], "stlaunch check 'http://x.test/;ls'"),
    "no-scheme": (["check", "x.test/app"], "Did you mean https://x.test/app?"),
    "no-scheme-here": (["check", "localhost:8501"], "Did you mean http://localhost:8501?"),
    "no-scheme-public": (["app.py", "--public-url", "x.test"], "Did you mean https://x.test?"),
    "lint-name": (["lint", "note.txt"], "Did you mean 'notes.txt'?"),
    "lint-folder": (["lint", "empty"], "Name the files in it."),
    "no-kind": (["deploy"], "See stlaunch deploy --help."),
    "no-file": (["lint"], "See stlaunch lint --help."),
}


@pytest.mark.parametrize(("words", "hint"), HINTS.values(), ids=HINTS)
def test_the_hint_says_what_was_meant(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    hint: str,
) -> None:
    (folder / "my app.py").write_text(APP, encoding="utf-8")
    monkeypatch.chdir(folder)
    code = main(words)
    stderr = capsys.readouterr().err

    assert code == 2
    assert f"Hint: {hint}" in stderr or hint in stderr.partition("Hint: ")[2], stderr
    assert "\\t" not in stderr


@pytest.mark.parametrize(
    ("target", "named"), [("module:nothing", "nothing"), ("nowhere:app", "nowhere")]
)
def test_a_target_that_is_not_there(folder: Path, target: str, named: str) -> None:
    """The same from a process of its own: the module is imported there."""
    done = _run(folder, "--port=0", target)

    _is_usage_error(done.returncode, done.stderr, named)


def _is_usage_error(code: int, stderr: str, named: str) -> None:
    first, *rest = stderr.strip().splitlines()
    assert code == 2, stderr
    assert first.startswith("Error: ")
    assert named.strip("\x07") in first
    assert any(line.startswith("Hint: ") for line in rest)
    assert "Traceback" not in stderr


def test_broken_config_names_file_and_line(folder: Path) -> None:
    """The user's own config.toml is not valid TOML."""
    config = folder / ".streamlit" / "config.toml"
    config.parent.mkdir()
    config.write_text("[server]\nport = = 1\n", encoding="utf-8")

    done = _run(folder, "app.py")

    assert done.returncode == 2
    assert str(config) in done.stderr
    assert "line 2" in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("port = [1]", "server.port is [1], not a number."),
        ('maxUploadSize = "x"', "server.maxUploadSize is 'x', not a number."),
        ("maxMessageSize = inf", "server.maxMessageSize is inf, not a number."),
        ('websocketPingInterval = "x"', "server.websocketPingInterval is 'x', not a number."),
        ("port = 8501.5", "server.port is 8501.5, not a whole number."),
        ("port = 70000", "server.port: The port '70000' is not a number from 0 to 65535."),
        ('address = "a:1"', "server.address: The host 'a:1' is not an address or a host name."),
        ('maxUploadSize = "0.5"', "server.maxUploadSize is '0.5', not a whole number."),
        ('maxMessageSize = "1e3"', "server.maxMessageSize is '1e3', not a whole number."),
        ("corsAllowedOrigins = 3", "server.corsAllowedOrigins is 3, not a list."),
        ("trustedUserHeaders = [1]", "Streamlit rejects its configuration: "),
    ],
)
def test_an_option_of_another_kind_is_named(folder: Path, line: str, said: str) -> None:
    """Streamlit takes it from the file unchecked; it used to be reported as a stlaunch bug."""
    config = folder / ".streamlit" / "config.toml"
    config.parent.mkdir()
    config.write_text(f"[server]\n{line}\n", encoding="utf-8")

    done = _run(folder, "app.py", "--dry-run")

    _is_usage_error(done.returncode, done.stderr, said)
    assert " is off. " not in done.stderr


def test_unreadable_config_is_named(folder: Path) -> None:
    """A folder where the file should be cannot be read, even by root."""
    (folder / ".streamlit" / "config.toml").mkdir(parents=True)

    done = _run(folder, "app.py")

    assert done.returncode == 2
    assert "config.toml cannot be read" in done.stderr


def test_taken_port_names_its_holder(folder: Path) -> None:
    """Never silently another port."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = _run(folder, "app.py", "--host", "127.0.0.1", "--port", str(port))

    assert done.returncode == 3
    assert f"Port {port} on 127.0.0.1 is taken by " in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert "Hint: " in done.stderr
    assert not _written(folder)


def test_port_that_is_not_permitted(folder: Path) -> None:
    """Without the privilege nobody listens below 1024; a network namespace makes that true here."""
    stlaunch = f"{sys.executable} -m stlaunch app.py --host 0.0.0.0 --port 80"
    command = (
        "echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start && exec setpriv "
        f"--bounding-set=-net_bind_service --inh-caps=-net_bind_service {stlaunch}"
    )
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", command],
        cwd=folder, env={**os.environ, "HOME": str(folder / "home")},
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith(
        "Error: This user is not allowed to listen on port 80 of 0.0.0.0.\nHint: "
    )
    assert not _written(folder)


def test_an_address_of_another_machine(folder: Path) -> None:
    """It names the address, and writes nothing."""
    done = _run(folder, "app.py", "--host", "192.0.2.1", "--port", "8501")

    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("Error: Cannot listen on 192.0.2.1 port 8501: ")
    assert not _written(folder)


def test_an_app_that_fails_to_import_keeps_its_traceback(folder: Path) -> None:
    """Its own frames, untouched, and exit code 3."""
    (folder / "bad.py").write_text(
        "import streamlit as st\ndef boom():\n    raise KeyError('mine')\n\nboom()\n"
        "app = st.App('app.py')\n",
        encoding="utf-8",
    )

    done = _run(folder, "bad.py", "--port", "0")

    assert done.returncode == 3, done.stderr
    assert done.stderr.lstrip().startswith("Traceback (most recent call last):")
    assert f'File "{folder / "bad.py"}", line 5, in <module>' in done.stderr
    assert "KeyError: 'mine'" in done.stderr
    assert "stlaunch/" not in done.stderr.partition("Error:")[0]


def test_an_app_with_a_syntax_error_keeps_its_traceback(folder: Path) -> None:
    """Python's own words, with the line."""
    (folder / "bad.py").write_text("app = (\n", encoding="utf-8")

    done = _run(folder, "bad:app", "--port", "0")

    assert done.returncode == 3, done.stderr
    assert f'File "{folder / "bad.py"}", line 1' in done.stderr
    assert "SyntaxError: '(' was never closed" in done.stderr
    assert "importlib" not in done.stderr
    assert "stlaunch/" not in done.stderr.partition("Error:")[0]


def test_an_app_whose_start_up_fails(folder: Path) -> None:
    """An error in the lifespan ends the launch, with its traceback and exit code 3."""
    (folder / "bad.py").write_text(
        "import contextlib\nfrom starlette.applications import Starlette\n"
        "@contextlib.asynccontextmanager\nasync def lifespan(app):\n"
        "    raise KeyError('mine')\n    yield\n"
        "app = Starlette(lifespan=lifespan)\n",
        encoding="utf-8",
    )

    done = _run(folder, "bad.py", "--port", "0")

    assert done.returncode == 3, done.stderr
    assert "KeyError: 'mine'" in done.stderr
    assert "Error: The app failed to start." in done.stderr
    assert "listening on" not in done.stderr


def test_config_out_that_cannot_be_written(folder: Path) -> None:
    """A place that the user chose is an error, not a silent other one."""
    done = _run(folder, "app.py", "--port", "0", "--config-out", "/dev/null/config.toml")

    assert done.returncode == 3
    assert "--config-out" in done.stderr


@pytest.mark.parametrize("name", ["app.py", ".streamlit/config.toml"])
def test_config_out_replaces_nothing_of_the_users(folder: Path, name: str) -> None:
    """Neither the script nor the user's own options; what stlaunch wrote there before, it may."""
    own = folder / name
    own.parent.mkdir(exist_ok=True)
    text = APP if name == "app.py" else "[theme]\nprimaryColor = '#111111'\n"
    own.write_text(text, encoding="utf-8")

    done = _run(folder, "app.py", "--port", "0", "--config-out", name)

    _is_usage_error(done.returncode, done.stderr, f"{name} exists, and stlaunch has not written it")
    assert own.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ("gone.pem", "server.sslCertFile: gone.pem cannot be read: No such file or directory."),
        ("app.py", "app.py and app.py are no certificate with its key: "),
    ],
)
def test_tls_files_that_cannot_be_used(folder: Path, certificate: str, said: str) -> None:
    flags = ["--server.sslCertFile", certificate, "--server.sslKeyFile", "app.py"]

    done = _run(folder, "app.py", "--port", "0", *flags)

    _is_usage_error(done.returncode, done.stderr, said)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_signals_stop_it_cleanly(hello_app: Path, number: signal.Signals, code: int) -> None:
    """Even with an open session, and the exit code shows which signal it was."""
    with (
        stlaunch_app(hello_app, free_port(), "--behind-proxy", "/a") as server,
        open_session(server.url) as session,
    ):
        session.rerun()
        os.kill(server.pid, number)
        process = server._process
        assert process is not None
        ended = process.wait(60)
        log = server.log()

    assert ended == code
    assert "timeout graceful shutdown" not in log  # as uvicorn says when it has waited in vain
    assert "Traceback" not in log
