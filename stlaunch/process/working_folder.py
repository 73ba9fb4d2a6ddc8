"""Return the folder that the command was started in, which may have been removed since."""

from __future__ import annotations

from pathlib import Path

from stlaunch.errors import UsageError


def working_folder() -> Path:
    """Return the working folder.

    Raises:
        UsageError: if it has been removed.
    """
    try:
        return Path.cwd()
    except OSError as exc:
        raise UsageError(
            f"The working folder cannot be used: {exc.strerror}.",
            hint="Change to another folder, and run the command again.",
        ) from exc
