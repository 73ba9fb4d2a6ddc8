"""The exit codes of every stlaunch command; it knows nothing of how they come about."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell, Docker or systemd is told at the end."""

    OK = 0
    """Done; for a server: stopped as asked."""
    FINDINGS = 1
    """A check ran and found something."""
    USAGE = 2
    """The command line, a setting or a file that was named is wrong."""
    COULD_NOT_START = 3
    """The app, the port or the file system refused."""
    NO_VERDICT = 4
    """A check could not be made."""
    BUG = 70
    """stlaunch itself failed (EX_SOFTWARE)."""
    INTERRUPTED = 130
    """Ctrl-C."""
