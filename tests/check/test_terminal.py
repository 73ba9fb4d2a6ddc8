"""What `check` shows on a terminal: reports of one screen, progress, and colours where wanted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stlaunch.check.diagnosis import diagnose
from stlaunch.check.formats.text import render_text
from tests.check.cases import CASES
from tests.check.recording import recorded
from tests.harness.terminal import COLOUR, COLUMNS, ESCAPE, LEGIBLE, LINES, shown, used_colours

LONGER = {"STL702"}  # replicas need more lines than a screen has, and a fix is never cut
_DEADLINE_S = 60.0


# --- one screen


@pytest.mark.parametrize("code", [code for code in CASES if code not in LONGER])
def test_a_report_is_one_screen(code: str) -> None:
    """The cause with its lines, and a line for each of the others; the prompt comes below it."""
    seen = recorded(CASES[code].fires)
    report = render_text(
        seen, diagnose(seen), is_coloured=False, width=COLUMNS, is_brief=True
    ).splitlines()

    assert len(report) < LINES, "\n".join(report)
    assert all(len(line) <= COLUMNS or is_whole(line, COLUMNS) for line in report), report


def is_whole(line: str, width: int) -> bool:
    """A line to paste, or one with a word that has no place to be wrapped."""
    return line.startswith((" " * 9, "        then: ")) or any(
        len(word) > width - 12 for word in line.split()
    )


def test_a_healthy_report_is_a_few_lines() -> None:
    seen = recorded({})
    report = render_text(seen, diagnose(seen), is_coloured=False, width=COLUMNS, is_brief=True)

    assert "✓ The app is reachable and whole." in report
    assert len(report.splitlines()) <= 8


@pytest.mark.parametrize("width", [40, 80, 100])
def test_lines_to_paste_stay_whole_and_words_are_wrapped(width: int) -> None:
    seen = recorded(CASES["STL301"].fires)
    diagnosis = diagnose(seen)
    report = render_text(seen, diagnosis, is_coloured=False, width=width, is_brief=True)
    lines = [line for line in diagnosis.findings[0].fix.splitlines() if line.startswith(" ")]

    assert lines
    assert all(line in report for line in lines)
    assert "then: nginx -t && nginx -s reload\n" in report
    assert all(len(line) <= width or is_whole(line, width) for line in report.splitlines())


@pytest.mark.parametrize("code", ["STL301", "STL102", "STL602", "STL807"])
@pytest.mark.parametrize("is_brief", [True, False])
def test_colours_can_be_read_on_black_and_on_white(code: str, is_brief: bool) -> None:
    seen = recorded(CASES[code].fires)
    report = render_text(seen, diagnose(seen), is_coloured=True, width=COLUMNS, is_brief=is_brief)
    used = used_colours(report)

    assert {"1", "31"} <= used or {"1", "35"} <= used or {"1", "32"} <= used
    assert used <= LEGIBLE


# --- the real command in a terminal


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(128)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/app/"


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{server.getsockname()[1]}/app/"


@pytest.mark.process
def test_what_is_checked_is_shown_while_it_runs(silent: str, tmp_path: Path) -> None:
    screen = shown(
        tmp_path, "check", silent, "--timeout", "30", until=lambda text: "checking: the" in text
    )

    assert "checking: the page" in screen


@pytest.mark.process
def test_a_terminal_has_colours_unless_they_are_not_wanted(closed: str, tmp_path: Path) -> None:
    coloured = shown(tmp_path, "check", closed)
    plain = shown(tmp_path, "check", closed, NO_COLOR="1")
    dumb = shown(tmp_path, "check", closed, TERM="dumb")

    assert "\x1b[1;31m✗" in coloured
    assert not COLOUR.search(plain)
    assert not COLOUR.search(dumb)
    assert "STL102  Nothing listens at this address and port" in ESCAPE.sub("", coloured)
    assert "Everything, with all lines to paste: --all" in plain


@pytest.mark.process
def test_without_a_terminal_nothing_is_escaped_and_nothing_left_out(
    closed: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stlaunch", "check", closed], cwd=tmp_path, capture_output=True,
        text=True, timeout=_DEADLINE_S, check=False, env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip

    assert "\x1b" not in done.stdout + done.stderr
    assert "SKIP" in done.stdout.partition("1 FAIL")[2]
