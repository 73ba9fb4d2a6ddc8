"""The folder that the command was given in, which may have been removed since."""

from __future__ import annotations

from pathlib import Path

from stlaunch.errors import UsageError


def working_folder() -> Path:
    """Return the working folder.

    Raises:
        UsageError: where it has been removed.
    """
    try:
        return Path.cwd()
    except OSError as exc:
        raise UsageError(
            f"The working folder cannot be used: {exc.strerror}.",
            hint="Change to another folder, and run the command again.",
        ) from exc
