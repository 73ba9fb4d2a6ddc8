"""The first door: commands that must start quickly go in here, all others through `main`."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from stlaunch.cli.commands import COMMANDS
from stlaunch.cli.errors import run_guarded
from stlaunch.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUICK = frozenset({"detect", "guide"})
_PROGRAM = "stlaunch"


def enter(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are told on stderr."""
    word = argv[0] if argv else ""
    if word not in _QUICK:
        from stlaunch.cli.main import main  # noqa: PLC0415 - loads every setting

        return main(argv)
    action = partial(invoke, COMMANDS[word].load(), f"{_PROGRAM} {word}", argv[1:])
    return run_guarded(action, environ=os.environ, stderr=sys.stderr)


def invoke(command: click.Command, name: str, words: Sequence[str]) -> int:
    """Run one command; its own return value is the exit code."""
    try:
        # Not `command.main`, which turns a closed pipe into exit code 1: FINDINGS.
        with command.make_context(name, list(words)) as ctx:
            code = command.invoke(ctx)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    return code if isinstance(code, int) else ExitCode.OK
