"""Store small secrets in a folder shared by processes with one key: encrypted, bounded, for a time.

Anyone who reads the folder learns how many there are and how large, but not whose: a file's name
and its key are derived from the process's key and the secret's own name, which is never stored.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from stlaunch.quick_dataclass import dataclass
from stlaunch.storage.atomic_write import write_atomic
from stlaunch.storage.private_folders import is_private

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_USED_S = 3600.0  # how precisely a file's time records its last read


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFolder:
    """The files of one key; those of other keys in the same folder stay unread.

    Attributes:
        find_folder: returns the folder, and makes the one above it; None if there can be none.
        key: shared by all who may read.
        max_bytes: of all files, whoever wrote them; the least recently used are removed.
        life_s: how long a file can be read after it was written.
    """

    find_folder: Callable[[], Path | None]
    key: bytes = field(repr=False)
    max_bytes: int
    life_s: int

    def write(self, name: str, content: bytes) -> Path:
        """Keep `content` under a name that cannot be guessed, and return the folder.

        Raises:
            OSError: if there is no private folder, or it cannot be written.
            ImportError: without the encryption library, which logins need as well.
        """
        folder = self.find_folder()
        if folder is None:
            raise FileNotFoundError("no folder can be written")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_private(folder):
            raise PermissionError(f"{folder} is not this user's alone")
        sealed = self._cipher(name).encrypt(content)
        self._make_room(folder, len(sealed))
        write_atomic(folder / self._file(name), sealed)
        return folder

    def read(self, name: str) -> bytes | None:
        """Return the content; None if there is none, it is too old, or it has another key."""
        folder = self.find_folder()
        if folder is None or not is_private(folder):
            return None
        path = folder / self._file(name)
        try:
            from cryptography.fernet import InvalidToken  # noqa: PLC0415 - not always there

            with path.open("rb") as file:
                sealed = file.read(self.max_bytes)
                if time.time() - os.fstat(file.fileno()).st_mtime > _USED_S:
                    os.utime(path)
        except (OSError, ImportError):
            return None
        try:
            return self._cipher(name).decrypt(sealed, ttl=self.life_s)
        except InvalidToken:
            self.remove(name)
            return None

    def remove(self, name: str) -> None:
        """Remove one, if it is there."""
        folder = self.find_folder()
        if folder is not None and is_private(folder):
            with contextlib.suppress(OSError):
                (folder / self._file(name)).unlink()

    def _make_room(self, folder: Path, more: int) -> None:
        """Remove expired files, then the least recently used ones."""
        found = []
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):  # another process was faster
                about = entry.stat(follow_symlinks=False)
                found.append((about.st_mtime, about.st_size, entry.path))
        room = self.max_bytes - more
        oldest = time.time() - self.life_s
        for used_at, size, path in sorted(found, reverse=True):
            room -= size
            if used_at < oldest or room < 0:
                with contextlib.suppress(OSError):
                    Path(path).unlink()

    def _file(self, name: str) -> str:
        return self._derive("file", name).hex()

    def _cipher(self, name: str) -> Fernet:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - not always there

        return Fernet(base64.urlsafe_b64encode(self._derive("content", name)))

    def _derive(self, purpose: str, name: str) -> bytes:
        return hmac.digest(self.key, f"{purpose} {name}".encode(), hashlib.sha256)
