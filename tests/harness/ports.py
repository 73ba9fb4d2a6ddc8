"""Ports for programs that can neither be handed a socket nor report the port they chose.

Everything else binds port 0 and is asked. No two processes are ever given the same port, however
many test workers and runs share the machine: each process takes a block of ports of its own, by
holding the block's first one, and hands out the others in turn. The blocks lie outside the range
from which the system picks ports for connections and for port 0. Whoever uses `free_port` still
tries again when the program says that the port was taken after all: by somebody else's program.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

# From where `stlaunch demo` takes none.
_LOWEST, _HIGHEST = 20_480, 65_535
_BLOCK = 256
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that no other test is given."""
    return next(port for port in _ports() if _bound(port, is_kept=False) is not None)


@functools.cache
def _ports() -> Iterator[int]:
    """Return this process's ports, each again only after all the others."""
    lowest_picked, highest_picked = map(int, _EPHEMERAL.read_text(encoding="ascii").split())
    for first in range(_LOWEST, _HIGHEST - _BLOCK, _BLOCK):
        is_outside = first + _BLOCK <= lowest_picked or first > highest_picked
        if is_outside and (holder := _bound(first, is_kept=True)) is not None:
            atexit.register(holder.close)
            return itertools.cycle(range(first + 1, first + _BLOCK))
    raise RuntimeError("every block of ports is taken by another test run")


def _bound(port: int, *, is_kept: bool) -> socket.socket | None:
    """Bind the port, for good or to see that it is free; None where it is taken."""
    sock = socket.socket()
    try:
        if not is_kept:  # the last program's closed connections may linger
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    if not is_kept:
        sock.close()
    return sock
