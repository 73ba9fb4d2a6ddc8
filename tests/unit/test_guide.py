"""`stlaunch guide`: the handbook in a terminal, in a pipe, and as its source."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.cli import guide
from stlaunch.cli.entry import main
from stlaunch.errors import ExitCode
from tests.harness.server import measured_environment
from tests.harness.terminal import LEGIBLE, used_colours
from tests.unit.test_completion import complete

LINK = (
    "See [rules](security.md#whose), [code](../urls/a.py) and [uv](https://docs.astral.sh/uv/).\n"
)


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", "guide", *words],
        env={"PATH": os.defpath, "LANG": "C.UTF-8"} | measured_environment() | environ,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_contents_name_every_page_and_load_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stlaunch", "guide"],
        capture_output=True, text=True, timeout=170, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == list(guide.pages())
    assert not imported & {"rich", "streamlit", "starlette", "uvicorn"}


@pytest.mark.parametrize("page", guide.pages())
def test_page_is_plain_and_fits(
    page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code = main(["guide", page])
    shown, errors = capsys.readouterr()
    source = guide.source(page)

    assert (code, errors) == (ExitCode.OK, "")
    assert shown.startswith(source.splitlines()[0].removeprefix("# ").replace("`", ""))
    assert "\x1b" not in shown
    assert "<!--" not in shown
    prose = [line for line in shown.splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= 80


def test_page_in_a_pipe_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["guide", "proxies"])

    assert run("proxies", COLUMNS="80").stdout == capsys.readouterr().out


def test_code_is_never_wrapped() -> None:
    line = "stlaunch " + "--allow-origin https://portal.example.com " * 4
    shown = guide.render(f"```sh\n{line}\n```\n", width=40, is_coloured=True)

    assert line.rstrip() in shown


@pytest.mark.parametrize("page", [*guide.pages()])
def test_colours_can_be_read_on_black_and_on_white(page: str) -> None:
    used = used_colours(guide.render(guide.source(page), width=80, is_coloured=True))

    assert {"1", "35"} <= used <= LEGIBLE


def test_markdown_is_the_source() -> None:
    assert run("proxies", "--markdown").stdout == guide.source("proxies")


def test_links_lead_to_pages_and_addresses() -> None:
    assert guide.without_files(LINK) == (
        "See rules (`stlaunch guide security`), code and [uv](https://docs.astral.sh/uv/).\n"
    )


def test_unknown_page_suggests_one() -> None:
    done = run("proxy")

    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.startswith("Error: The handbook has no page 'proxy'.\nHint: Did you mean")


def test_unknown_page_lists_all() -> None:
    done = run("xyzzy")

    assert done.returncode == ExitCode.USAGE
    assert all(page in done.stderr for page in guide.pages())


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}], ids=["colour", "no-color"])
def test_terminal_gets_a_pager(tmp_path: Path, environ: dict[str, str]) -> None:
    """A `less` gets colours, unless NO_COLOR forbids them."""
    pager = tmp_path / "less"
    pager.write_text('#!/bin/sh\ncat >"$0.out"\n')
    pager.chmod(0o755)
    terminal, child = pty.openpty()
    with os.fdopen(terminal, "rb"), os.fdopen(child, "wb") as stream:
        subprocess.run(
            [sys.executable, "-m", "stlaunch", "guide", "login"],
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "TERM": "xterm", "PAGER": str(pager)}
            | measured_environment()
            | environ,
            stdin=stream, stdout=stream, stderr=stream, timeout=170, check=True,
        )  # fmt: skip
    shown = (tmp_path / "less.out").read_text()

    assert "redirect_uri" in shown
    assert ("\x1b[" in shown) is not bool(environ)


def test_pages_are_completed(tmp_path: Path) -> None:
    assert complete(tmp_path, "guide", "se") == [
        "self-check",
        "security",
        "security-headers",
        "settings",
    ]
