"""Read configuration files within bounds: regular files only, limited in size and number.

It must not know any language. Every linter reads through a `Sources`, so that a test or a fuzzer
can hand in texts without a disk.
"""

from __future__ import annotations

import glob
import itertools
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

MAX_BYTES = 1_000_000
MAX_FILES = 500
MAX_TOTAL_BYTES = 8_000_000
_MAX_MATCHES = 500
_MAX_LINE = 100_000
# Neither a FIFO without a writer nor a terminal may block us, and line ends stay as they are. Each
# system has some of these flags.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)


class UnreadableError(UsageError):
    """A file that cannot be read, or must not be; the message says which and why."""


@dataclass(slots=True)
class Sources:
    """The files of one run, each read once.

    Attributes:
        texts: what has been read, and what was handed in instead of the disk.
        parsed: what a linter made of a text, for the next one that needs it.
        uses_disk: files that were not handed in are looked up on the disk.
    """

    texts: dict[Path, str] = field(default_factory=dict)
    uses_disk: bool = True
    parsed: dict[Path, object] = field(default_factory=dict)

    @classmethod
    def of_texts(cls, texts: Mapping[Path, str]) -> Sources:
        """Return sources that never touch the disk."""
        return cls(texts=dict(texts), uses_disk=False)

    def read(self, path: Path) -> str:
        """Return a file's text; bytes that are not UTF-8 survive as surrogates.

        Raises:
            UnreadableError: for a file that is missing, not a regular one, binary, or too large.
        """
        if path in self.texts:
            return self.texts[path]
        if not self.uses_disk:
            raise UnreadableError(f"{path} does not exist.")
        if len(self.texts) >= MAX_FILES:
            raise UnreadableError(f"{path} was not read: more than {MAX_FILES} files are included.")
        text = _read(path)
        if sum(map(len, self.texts.values())) + len(text) > MAX_TOTAL_BYTES:
            raise UnreadableError(
                f"{path} was not read: all files together are larger than {MAX_TOTAL_BYTES} bytes."
            )
        self.texts[path] = text
        return text

    def lines(self, path: Path) -> list[str]:
        """Return the lines of a file that has been read."""
        return self.texts.get(path, "").split("\n")

    def is_file(self, path: Path) -> bool:
        """Return whether there is something to read under this name."""
        return path in self.texts or (self.uses_disk and path.exists())

    def is_folder(self, path: Path) -> bool:
        """Return whether this is a folder that can be listed."""
        return self.uses_disk and path.is_dir() and os.access(path, os.R_OK | os.X_OK)

    def matches(self, pattern: Path) -> list[Path]:
        """Return the files that a pattern names, in the proxies' order.

        Raises:
            UnreadableError: for a pattern that names too many.
        """
        if not self.uses_disk:
            return sorted(path for path in self.texts if path.match(str(pattern)))
        # `**` is two stars to a proxy, and would walk the whole disk here.
        found = list(itertools.islice(glob.iglob(str(pattern)), _MAX_MATCHES + 1))  # noqa: PTH207
        if len(found) > _MAX_MATCHES:
            raise UnreadableError(f"{pattern} names more than {_MAX_MATCHES} files.")
        return [Path(name) for name in sorted(found)]


def is_pattern(name: str) -> bool:
    """Return whether an include names files by a pattern."""
    return any(mark in name for mark in "*?[")


def ancestors(path: Path) -> Iterator[Path]:
    """Yield the folders above a file, first of its given name, then of what its link points to."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
    seen = list(absolute.parents)
    yield from seen
    try:
        real = absolute.resolve()
    except (OSError, RuntimeError):
        return
    yield from (folder for folder in real.parents if folder not in seen)


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError as exc:
        raise UnreadableError(f"{path} does not exist.") from exc
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise UnreadableError(f"{path} cannot be read: {why}.") from exc
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            what = "folder" if stat.S_ISDIR(status.st_mode) else "device, pipe or socket"
            raise UnreadableError(f"{path} is a {what}, not a regular file.")
        if status.st_size > MAX_BYTES:
            raise UnreadableError(f"{path} is larger than {MAX_BYTES} bytes.")
        # A file below /proc has size 0 and may still be endless.
        data = _read_at_most(descriptor, MAX_BYTES + 1)
    except OSError as exc:
        raise UnreadableError(f"{path} cannot be read: {exc.strerror}.") from exc
    finally:
        os.close(descriptor)
    return decode(path, data)


def decode(path: Path, data: bytes) -> str:
    """Turn a file's bytes into text that can be written back unchanged.

    Raises:
        UnreadableError: if no configuration file can look like this.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"{path} is larger than {MAX_BYTES} bytes.")
    if b"\0" in data:
        raise UnreadableError(f"{path} is binary, or UTF-16 text: save it as UTF-8.")
    text = data.decode("utf-8", errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _MAX_LINE:
            raise UnreadableError(f"{path}, line {number}, is longer than {_MAX_LINE} characters.")
    return text


def _read_at_most(descriptor: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size < limit and (piece := os.read(descriptor, min(65536, limit - size))):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
