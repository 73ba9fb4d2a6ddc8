"""TCP ports for programs that cannot be handed a socket; it starts nothing on them."""

from __future__ import annotations

import errno
import socket
from typing import Self

from stlaunch.exceptions import StartError


class ReservedPort:
    """A port on 127.0.0.1 that nobody else is given while the context lasts.

    Leave the context just before the program that is to listen there starts: the port could be
    taken in between, so be ready to try again with another one.

    Attributes:
        port: the port's number.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._socket.close()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with ReservedPort() as reserved:
        return reserved.port


def check_port_is_free(port: int, *hosts: str) -> None:
    """Raise unless the port can be bound on all of these addresses of this machine.

    Raises:
        StartError: for a port that is taken or not permitted; the message names it.
    """
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((host, port))
        except PermissionError as exc:
            raise StartError(
                f"Port {port} may not be bound by this user.", hint="Use a port above 1023."
            ) from exc
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise StartError(
                    f"Port {port} is taken on {host}.", hint="Choose another one with --port."
                ) from exc
            if family is socket.AF_INET:
                raise StartError(f"Port {port} cannot be bound: {exc.strerror}.") from exc
            # A machine without IPv6 has nobody on ::1 either.
