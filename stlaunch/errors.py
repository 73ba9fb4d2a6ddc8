"""Define the errors that stlaunch raises on purpose; only the command line turns them into exits.

StlaunchError
├── UsageError      the user typed or wrote something wrong         exit 2
└── StartError      the machine or the app does not allow it        exit 3
└── AppFailedError  the app's own code raised; carries its traceback
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes, as the shell, Docker or systemd sees them."""

    OK = 0
    """Done; for a server: stopped as asked."""
    FINDINGS = 1
    """A check ran and found something."""
    USAGE = 2
    """The command line, a setting or a named file is wrong."""
    COULD_NOT_START = 3
    """The app, the port or the file system refused."""
    NO_VERDICT = 4
    """The check could not run."""
    BUG = 70
    """stlaunch itself failed (EX_SOFTWARE)."""
    INTERRUPTED = 130
    """Ctrl-C."""


class StlaunchError(Exception):
    """One sentence about what went wrong (what, where, which value), and a hint.

    Attributes:
        message: the sentence.
        hint: what to do about it, as text to read or to type.
    """

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StlaunchError):
    """The user typed something, or wrote it to a file, that cannot be used."""

    exit_code = ExitCode.USAGE


class StartError(StlaunchError):
    """The app cannot be started here: port, file system, permissions, the app itself."""

    exit_code = ExitCode.COULD_NOT_START


class AppFailedError(StartError):
    """The app's own module raised while it was imported.

    Attributes:
        traceback: the app's traceback as Python prints it, without stlaunch's own frames.
    """

    def __init__(self, message: str, *, traceback: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.traceback = traceback
