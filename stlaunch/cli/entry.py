"""The entry point of the command line: find the command and pass its arguments on.

A command is imported when it is used: `stlaunch detect` does not load the settings.
"""

from __future__ import annotations

import io
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from stlaunch.cli.commands import COMMANDS, COMPLETION_VARIABLE
from stlaunch.cli.errors import run_guarded
from stlaunch.errors import ExitCode
from stlaunch.process.streams import flush_or_drop

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM = "stlaunch"
_UNNAMED = "run"
"""The command that may be left out."""


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are reported on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows pipe or an old console supports few characters: others are shown as \u2026.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = run_guarded(partial(_dispatch, argv), environ=os.environ, stderr=sys.stderr)
    flush_or_drop("stdout")
    flush_or_drop("stderr")
    return code


def _dispatch(argv: Sequence[str]) -> int:
    if asked := os.environ.get(COMPLETION_VARIABLE):
        from stlaunch.cli.completion import complete  # noqa: PLC0415 - only when a shell asks

        return complete(asked, COMMANDS[_UNNAMED].load())
    # A file or folder with a command's name is reached as ./demo.
    is_named = bool(argv) and argv[0] in COMMANDS
    word = argv[0] if is_named else _UNNAMED
    name = _PROGRAM if word == _UNNAMED else f"{_PROGRAM} {word}"
    return _invoke(COMMANDS[word].load(), name, argv[1:] if is_named else argv)


def _invoke(command: click.Command, name: str, words: Sequence[str]) -> int:
    try:
        # Not `command.main`, which turns a closed pipe into exit code 1: FINDINGS.
        with command.make_context(name, list(words)) as ctx:
            code = command.invoke(ctx)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    return code if isinstance(code, int) else ExitCode.OK
