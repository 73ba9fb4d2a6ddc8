"""Count the heaps of this process, as glibc itself reports them (malloc_info(3))."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path


def count_heaps() -> int:
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "malloc.xml"
        stream = ctypes.c_void_p(libc.fopen(str(path).encode(), b"w"))
        libc.malloc_info(0, stream)
        libc.fclose(stream)
        return path.read_text().count("<heap ")
