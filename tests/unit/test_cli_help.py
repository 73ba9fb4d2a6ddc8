"""The command line as a user meets it: help, version, errors, exit codes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from stlaunch import __version__
from stlaunch.cli.commands import COMMANDS, LazyCommand
from stlaunch.cli.entry import main
from stlaunch.cli.errors import render_error, run_guarded
from stlaunch.cli.run import run_command
from stlaunch.errors import ExitCode, StartError, StlaunchError, UsageError
from stlaunch.settings.fields import FIELDS, Field
from stlaunch.settings.resolve import resolve_settings
from tests.harness.terminal import LEGIBLE, used_colours

if TYPE_CHECKING:
    from stlaunch.settings.request import LaunchRequest

ROOT = Path(__file__).parents[2]
HEAVY = ("streamlit", "starlette", "uvicorn", "rich", "jinja2", "psutil", "anyio")


def run_cli(
    *words: str, cwd: Path, python: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("STLAUNCH_")}
    return subprocess.run(
        [sys.executable, *python, "-m", "stlaunch", *words],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | environ,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.fixture(scope="module")
def help_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    done = run_cli("--help", cwd=tmp_path_factory.mktemp("help"))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# --- help and version


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_help_names_every_option(help_text: str, field: Field[object]) -> None:
    assert f"{field.flag} {field.metavar}" in help_text


@pytest.mark.parametrize("proxy", ["nginx", "Caddy", "Traefik", "HAProxy", "Envoy", "Apache"])
def test_help_has_an_example_for_each_common_proxy(help_text: str, proxy: str) -> None:
    assert re.search(rf"^ +{proxy} +\S", help_text, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_every_command(help_text: str, command: str) -> None:
    assert f"  {command} " in help_text


def test_help_begins_with_the_promise_and_usage(help_text: str) -> None:
    promise, empty, usage, *_ = help_text.splitlines()

    assert promise.endswith("every protection left on.")
    assert not empty
    assert usage.startswith("Usage: stlaunch [OPTIONS] [APP]")


def test_help_says_that_streamlit_flags_pass(help_text: str) -> None:
    assert "--section.option VALUE" in help_text


@pytest.mark.parametrize("columns", [80, 100])
def test_help_fits_the_terminal(tmp_path: Path, columns: int) -> None:
    done = run_cli("--help", cwd=tmp_path, COLUMNS=str(columns))

    # Help written before the options has a line of 82 characters at most.
    assert max(map(len, done.stdout.splitlines())) <= max(columns, 82)


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_cheap_words_import_nothing_heavy(tmp_path: Path, word: str) -> None:
    done = run_cli(word, cwd=tmp_path, python=("-X", "importtime"))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert done.returncode == 0
    assert "stlaunch.cli.app_command" in imported
    assert not imported.intersection(HEAVY)


def test_version_is_one_line_on_stdout(tmp_path: Path) -> None:
    done = run_cli("--version", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, f"stlaunch {__version__}\n")


PRINT = """
import sys
from stlaunch.cli.entry import main
from stlaunch.cli.errors import run_guarded
sys.exit(run_guarded(lambda: print("x", flush=True), environ={}, stderr=sys.stderr))
"""


@pytest.mark.parametrize(
    "words", [["-m", "stlaunch", "--help"], ["-c", PRINT]], ids=["click", "print"]
)
def test_output_into_a_closed_pipe_is_quiet(words: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=170,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, b"")


# --- errors


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        pytest.param([], "You named no app", "stlaunch app.py", id="no-app"),
        pytest.param(["nope.py"], "'nope.py' does not exist", "", id="missing-script"),
        pytest.param(["app.py", "--prot", "1"], "no option --prot", "--port", id="option"),
        pytest.param(["app.py", "--port", "70000"], "--port: The port '70000'", "8501", id="port"),
        pytest.param(["app.py", "--json"], "--json needs", "--dry-run", id="json-alone"),
        pytest.param(["app.py", "x"], "one app, but got 'app.py', 'x'", "app.py -- x", id="two"),
        pytest.param(["app.py", "--server.port"], "--server.port needs", "VALUE", id="streamlit"),
        pytest.param(["run", "nope.py"], "'nope.py' does not exist", "", id="run-by-name"),
        pytest.param(["app.py", "--dry-run=1"], "does not take a value", "--help", id="flag-value"),
    ],
)
def test_usage_error_is_a_sentence_and_a_hint(
    tmp_path: Path, words: list[str], error: str, hint: str
) -> None:
    (tmp_path / "app.py").touch()
    done = run_cli(*words, cwd=tmp_path)
    first, second, *_ = done.stderr.splitlines()

    assert (done.returncode, done.stdout) == (2, "")
    assert first.startswith("Error: ")
    assert error in first
    assert second.startswith("Hint: ")
    assert hint in second


def test_error_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "streamlit_app.py").touch()
    done = run_cli(cwd=tmp_path, STLAUNCH_HOST="*")

    assert done.returncode == 2
    assert done.stderr.startswith("Error: STLAUNCH_HOST: The host '*'")


def test_error_names_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "streamlit_app.py").touch()
    (tmp_path / "app" / "stlaunch.toml").write_text("\nport = \n")
    done = run_cli("app", cwd=tmp_path)

    assert done.returncode == 2
    assert "app/stlaunch.toml, line 2, is not valid TOML" in done.stderr


def fail_with(exc: BaseException) -> NoReturn:
    raise exc


@pytest.mark.parametrize(
    ("exc", "code", "expected"),
    [
        pytest.param(UsageError("Bad.", hint="Do."), 2, "Error: Bad.\nHint: Do.\n", id="usage"),
        pytest.param(StartError("No.", hint="a\nb"), 3, "Error: No.\nHint: a\n  b\n", id="start"),
        pytest.param(StlaunchError("Plain."), 70, "Error: Plain.\n", id="plain"),
        pytest.param(
            click.UsageError("Hm"), 2, "Error: Hm.\nHint: See stlaunch --help.\n", id="click"
        ),
        pytest.param(KeyboardInterrupt(), 130, "", id="interrupted"),
        pytest.param(click.Abort(), 130, "", id="aborted"),
    ],
)
def test_error_becomes_message_and_exit_code(exc: BaseException, code: int, expected: str) -> None:
    stderr = io.StringIO()

    assert run_guarded(lambda: fail_with(exc), environ={}, stderr=stderr) == code
    assert stderr.getvalue() == expected


@pytest.mark.process  # the platform module asks `uname`
def test_crash_is_a_report_to_paste() -> None:
    stderr = io.StringIO()
    code = run_guarded(lambda: fail_with(ZeroDivisionError("x")), environ={}, stderr=stderr)
    report = stderr.getvalue()

    assert code == ExitCode.BUG
    assert f"stlaunch {__version__}, Python 3." in report
    assert re.search(r"streamlit \d", report)
    assert report.endswith("ZeroDivisionError: x\n")
    assert sys.argv[0] not in report.split("Traceback")[0]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stderr", "environ", "is_coloured"),
    [
        pytest.param(_Terminal(), {}, True, id="terminal"),
        pytest.param(_Terminal(), {"NO_COLOR": "1"}, False, id="no-color"),
        pytest.param(_Terminal(), {"TERM": "dumb"}, False, id="dumb"),
        pytest.param(io.StringIO(), {}, False, id="pipe"),
    ],
)
def test_colour_is_for_terminals(
    stderr: io.StringIO, environ: dict[str, str], is_coloured: bool
) -> None:
    run_guarded(lambda: fail_with(UsageError("Bad.")), environ=environ, stderr=stderr)

    assert ("\x1b[" in stderr.getvalue()) is is_coloured


def test_message_cannot_steer_the_terminal() -> None:
    assert used_colours(render_error("No.", "Do.", is_coloured=True)) <= LEGIBLE
    assert render_error("a\x1b[2Jb\r", "c\u202ed") == "Error: a\\x1b[2Jb\\r\nHint: c\\u202ed\n"


# --- dispatch


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[LaunchRequest]:
    """The requests that reach the launcher; nothing is launched."""
    requests: list[LaunchRequest] = []

    def record(given: LaunchRequest, *, dry_run: bool, as_json: bool) -> int:
        requests.append(given)
        return 10 * dry_run + as_json

    for name in [name for name in os.environ if name.startswith("STLAUNCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("stlaunch.cli.run.run", record)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "streamlit_app.py").touch()
    (tmp_path / "stlaunch.toml").write_text('host = "::1"\n')
    return requests


def test_everything_said_reaches_the_launcher(seen: list[LaunchRequest]) -> None:
    line = "--behind-proxy . --behind-proxy /b --port=0 --theme.base dark --dry-run --json -- -v"
    code = main(line.split())
    (request,) = seen
    settings = resolve_settings(request.raw)

    assert code == 11
    assert request.target.path == Path.cwd() / "streamlit_app.py"
    assert [str(path) for path in settings.public_paths] == ["/b"]
    assert (settings.host.value, settings.port.value) == ("::1", 0)
    assert request.streamlit_flags == (("theme.base", "dark"),)
    assert request.script_args == ("-v",)


@pytest.mark.parametrize("argv", [[], ["run"], ["run", "."], ["streamlit_app.py"]], ids=str)
def test_app_is_found(seen: list[LaunchRequest], argv: list[str]) -> None:
    assert main(argv) == 0
    assert seen[0].target.path == Path.cwd() / "streamlit_app.py"


def test_command_word_is_dispatched(
    seen: list[LaunchRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    @click.option("--proxy")
    def command(proxy: str) -> int:
        click.echo(proxy)
        return 4

    monkeypatch.setattr(LazyCommand, "load", lambda _self: command)

    assert main(["demo", "--proxy", "nginx"]) == 4
    assert seen == []


def test_lazy_command_loads_a_click_command() -> None:
    assert COMMANDS["run"].load() is run_command
    with pytest.raises(TypeError, match="not a click command"):
        LazyCommand(where="stlaunch.cli.entry:main", summary="").load()
