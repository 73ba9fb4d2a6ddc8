"""Compress each of Streamlit's hashed files once, in the background, and keep the result.

A kept file is named by the SHA-256 of the original. At each start it is unpacked and compared with
the original before it is used; a damaged one is made again. Files without a hash in their name are
never touched, nor anything outside Streamlit's own static folder.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import field
from mmap import ACCESS_READ, mmap
from pathlib import Path

from stlaunch.gateway.assets.codings import Coding, available_codings
from stlaunch.quick_dataclass import dataclass
from stlaunch.storage.atomic_write import write_atomic

logger = logging.getLogger(__name__)

# Such as js/index.DormvYxC.js: a name, a hash of eight characters, and an extension of text files.
_HASHED = re.compile(r"(?:[\w-]+/)*[\w.-]+\.[\w-]{8}\.(?:js|css|svg|json|wasm)")
_IN_PAGE = re.compile(r'"\./static/([^"]+)"')
_MIN_BYTES = 1_000
_MAX_BYTES = 16_000_000
_MAX_KEPT_BYTES = 64_000_000
_MAX_IN_MEMORY_BYTES = 4_000_000
_WORTHWHILE = 0.9
_PIECE_BYTES = 64 * 1024
_NICEST = 19


@dataclass(slots=True)
class Asset:
    """One of Streamlit's files.

    Attributes:
        size: of the original file.
        kept: by coding token: a file, or the bytes if no file could be written.
    """

    size: int
    kept: dict[str, Path | bytes] = field(default_factory=dict)


class AssetStore:
    """The compressed files, each available once it has been made.

    Args:
        source: Streamlit's static folder, with index.html and `static/` in it.
        folder: where they are kept; None to keep a few in memory.
    """

    def __init__(self, source: Path, folder: Path | None) -> None:
        self.source = source
        self.folder = folder
        self._assets: dict[str, Asset] = {}
        self._in_memory_bytes = 0
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def find(self, name: str) -> Asset | None:
        """Return the asset named, say, `js/index.DormvYxC.js`, if it has been compressed."""
        return self._assets.get(name)

    def start(self) -> None:
        """Start in the background, at the lowest priority; later calls do nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stlaunch-assets", daemon=True)
            self._thread.start()
            # A thread inside a compressor can crash the interpreter as it exits.
            atexit.register(self.stop)

    def stop(self) -> None:
        """End the background work, even in the middle of a file."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()
            atexit.unregister(self.stop)

    def build(self) -> None:
        """Compress what is not kept yet: all files with gzip, the page's own with the others too.

        Those take about ten times as long and more memory, to save about a tenth of the size.
        """
        of_page = list(self._names_in_page())
        gzip, *others = reversed(available_codings())
        for name in (*of_page, *self._names()):
            self._add(name, gzip)
        for coding in others:
            for name in of_page:
                self._add(name, coding)
        with contextlib.suppress(OSError):  # another process is pruning too
            self._prune()

    def _run(self) -> None:
        # Only on Linux does each thread have its own priority.
        if sys.platform == "linux" and hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICEST)
        try:
            self.build()
        except _StoppedError:
            return
        except Exception:  # the app works without it
            logger.warning("Static files are sent uncompressed from now on", exc_info=True)

    def _names_in_page(self) -> Iterator[str]:
        with contextlib.suppress(OSError):
            page = (self.source / "index.html").read_text(encoding="utf-8")
            yield from (name for name in _IN_PAGE.findall(page) if _HASHED.fullmatch(name))

    def _names(self) -> Iterator[str]:
        root = self.source / "static"
        for folder, _, files in os.walk(root):
            for file in sorted(files):
                name = (Path(folder) / file).relative_to(root).as_posix()
                if _HASHED.fullmatch(name):
                    yield name

    def _add(self, name: str, coding: Coding) -> None:
        known = self._assets.get(name)
        if known is not None and coding.token in known.kept:
            return
        file = self.source / "static" / name
        try:
            size = file.stat().st_size
            if not _MIN_BYTES <= size <= _MAX_BYTES:
                return
            # Mapped, not read: buffers of this size tend to leave holes in the heap.
            with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
                kept = self._keep(content, coding)
        except OSError:
            return
        if kept is not None:
            asset = known or Asset(size)
            asset.kept = _by_preference({**asset.kept, coding.token: kept})
            self._assets[name] = asset

    def _keep(self, content: mmap, coding: Coding) -> Path | bytes | None:
        path = None
        if self.folder is not None:
            path = self.folder / f"{hashlib.sha256(content).hexdigest()}.{coding.token}"
            if _holds(path, content, coding):
                return path
        compressed = coding.compress(self._pieces(content))
        if len(compressed) > len(content) * _WORTHWHILE:
            return None
        if path is not None:
            try:
                write_atomic(path, compressed)
            except OSError as exc:
                logger.debug("%s cannot be written: %s", path, exc)
            else:
                return path
        if self._in_memory_bytes + len(compressed) > _MAX_IN_MEMORY_BYTES:
            return None
        self._in_memory_bytes += len(compressed)
        return compressed

    def _pieces(self, content: mmap) -> Iterator[bytes]:
        for begin in range(0, len(content), _PIECE_BYTES):
            if self._is_stopped.is_set():
                raise _StoppedError
            yield content[begin : begin + _PIECE_BYTES]

    def _prune(self) -> None:
        """Remove files of other Streamlit versions beyond a size limit, the oldest first."""
        if self.folder is None:
            return
        # Copied at once: requests drop what they find missing, in another thread.
        ours = {kept for asset in self._assets.values() for kept in list(asset.kept.values())}
        files = [(file, file.stat()) for file in self.folder.iterdir() if file.is_file()]
        total = sum(found.st_size for _, found in files)
        for file, found in sorted(files, key=lambda item: item[1].st_mtime):
            if total <= _MAX_KEPT_BYTES:
                return
            if file not in ours:
                file.unlink(missing_ok=True)
                total -= found.st_size


class _StoppedError(Exception):
    """The process is ending."""


def _by_preference(kept: dict[str, Path | bytes]) -> dict[str, Path | bytes]:
    tokens = [coding.token for coding in available_codings()]
    return dict(sorted(kept.items(), key=lambda item: tokens.index(item[0])))


def _holds(path: Path, content: mmap, coding: Coding) -> bool:
    done = 0
    try:
        with path.open("rb") as file:
            packed = iter(lambda: file.read(_PIECE_BYTES // 4), b"")
            for piece in coding.decompress(packed):
                if piece != content[done : done + len(piece)]:
                    return False
                done += len(piece)
        os.utime(path)  # in use, so not the oldest
    except (OSError, ValueError):
        return False
    return done == len(content)
