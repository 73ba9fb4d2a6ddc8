"""Record where this process listens, for `stlaunch health` and `stlaunch check`."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from stlaunch.storage import running_apps
from stlaunch.storage.owner_lock import has_no_owner, write_locked


class RunningFile:
    """A file in the state folder, for as long as this process lives.

    Files of processes that were killed are removed on the way. Containers and machines may share
    the folder, and know nothing of each other's processes: between them the lock tells.

    Args:
        state: the app's own folder.
        url: where the process listens.
        public_url: its address in the browser; empty if that is not known.

    Raises:
        OSError: if nothing can be written.
    """

    def __init__(self, state: Path, url: str, public_url: str = "") -> None:
        folder = state.parent / running_apps.FOLDER
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pid, here = os.getpid(), running_apps.namespace()
        self._path = folder / f"{pid}-{hashlib.sha256(here.encode()).hexdigest()[:12]}"
        self._lock = write_locked(self._path, running_apps.describe(pid, url, public_url))
        with contextlib.suppress(OSError):
            for other in folder.iterdir():
                if other != self._path and _is_left_behind(other):
                    other.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove it; if that fails, the next start does it."""
        with contextlib.suppress(OSError):  # the disk may have turned read-only
            self._path.unlink()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _is_left_behind(path: Path) -> bool:
    facts = running_apps.read(str(path))
    if facts.get("namespace") == running_apps.namespace():
        return not running_apps.is_alive(facts)
    return has_no_owner(path)
