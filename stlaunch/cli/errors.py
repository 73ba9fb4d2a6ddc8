"""Turn every error into one sentence, a hint and an exit code; only this file exits."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from stlaunch import __version__
from stlaunch.errors import AppFailedError, ExitCode, StlaunchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WIDEST = 100
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REPORTED_PACKAGES = ("streamlit", "starlette", "uvicorn", "websockets", "click", "anyio")


def run_guarded(action: Callable[[], int], *, environ: Mapping[str, str], stderr: TextIO) -> int:
    """Run `action` and return its exit code; an error becomes a message on stderr and its code."""
    is_coloured = has_colour(environ, stderr)
    try:
        code = action()
        sys.stdout.flush()
    except StlaunchError as exc:
        trace = exc.traceback if isinstance(exc, AppFailedError) else ""
        say(stderr, trace + render_error(exc.message, exc.hint, is_coloured=is_coloured))
        return exc.exit_code
    except click.ClickException as exc:
        message, hint = _from_click(exc)
        say(stderr, render_error(message, hint, is_coloured=is_coloured))
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - the last line of defence
        if _is_closed_pipe(exc):
            # `stlaunch --help | head -1`: the reader has what it wanted.
            return ExitCode.OK
        if isinstance(exc, OSError) and exc.errno in _NO_ROOM:
            what = exc.filename or "The output"
            message = f"{what} cannot be written: {exc.strerror}."
            say(stderr, render_error(message, "Free some space.", is_coloured=is_coloured))
            return ExitCode.COULD_NOT_START
        say(stderr, render_crash(exc))
        return ExitCode.BUG
    return code


def say(stderr: TextIO, text: str) -> None:
    """Write to stderr at once; if its disk is full or its reader is gone, fail silently."""
    with contextlib.suppress(OSError):
        # click makes old Windows consoles show colours, and flushes.
        click.echo(text, file=stderr, nl=False, color="\x1b[" in text)


def _is_closed_pipe(exc: Exception) -> bool:
    # Windows may also say EINVAL (Python's issue 19612).
    return isinstance(exc, BrokenPipeError) or (
        sys.platform == "win32" and isinstance(exc, OSError) and exc.errno == errno.EINVAL
    )


def render_error(message: str, hint: str = "", *, is_coloured: bool = False) -> str:
    """Return `Error: <sentence>` and, below it, `Hint: <what to do>`."""
    red, plain = ({"fg": "red", "bold": True}, {"bold": True}) if is_coloured else ({}, {})
    text = _labelled("Error:", message, red)
    return text + (_labelled("Hint:", hint, plain) if hint else "")


def render_crash(exc: BaseException) -> str:
    """Return a report to paste into an issue: versions, platform, traceback; no arguments."""
    import platform  # noqa: PLC0415 - both are needed after a crash alone
    import traceback  # noqa: PLC0415

    packages = ", ".join(f"{name} {_version_of(name)}" for name in _REPORTED_PACKAGES)
    trace = "".join(traceback.format_exception(exc))
    return (
        f"Error: stlaunch itself failed ({type(exc).__name__}); this is a bug.\n"
        "Hint: Please report it with everything below this line.\n\n"
        f"stlaunch {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{packages}\n\n{trace}"
    )


def _labelled(label: str, text: str, style: Mapping[str, Any]) -> str:
    first, *more = printable(text).split("\n")
    shown = click.style(label, **style) if style else label
    return "\n".join([f"{shown} {first}", *(f"  {line}" if line else "" for line in more)]) + "\n"


def printable(text: str) -> str:
    """Show control characters instead of letting a file's name control the terminal."""
    return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)


def _from_click(exc: click.ClickException) -> tuple[str, str]:
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    command = context.command_path if context else "stlaunch"
    hint = f"See {command} --help."
    if isinstance(exc, click.NoSuchOption):
        message = f"There is no option {exc.option_name}."
        if exc.possibilities:
            hint = f"Did you mean {' or '.join(sorted(exc.possibilities))}?"
        return message, hint
    if isinstance(exc, click.MissingParameter) and isinstance(exc.param, click.Argument):
        kinds = exc.param.type.choices if isinstance(exc.param.type, click.Choice) else ()
        name = (exc.param.name or "").rstrip("s")
        message = f"You gave no {name}{': ' if kinds else ''}{', '.join(map(str, kinds))}."
        return message, hint
    message = exc.format_message()
    return message if message.endswith((".", "?", "!")) else f"{message}.", hint


def has_colour(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Return whether to use colours: on a terminal that shows them, without NO_COLOR."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def text_width(stream: TextIO) -> int:
    """Return how wide a text may be: as its terminal, but never too wide to read easily."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return _WIDEST
    return min(columns or _WIDEST, _WIDEST)


def _version_of(package: str) -> str:
    from importlib import metadata  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
