"""Find TCP ports for programs that cannot be given a socket."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import sys

from stlaunch.errors import StartError

# Below the range that Linux and macOS use for connections and for port 0: otherwise one of those
# could take the port before the program listens there.
_FROM = range(10_240, 20_480)
_ATTEMPTS = 100


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago.

    Raises:
        StartError: where no port can be found.
    """
    for port in random.sample(_FROM, _ATTEMPTS):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise StartError("No free port was found.", hint="Something holds thousands of them.")


def check_port_is_free(port: int, *hosts: str) -> None:
    """Raise unless the port can be bound on all of these addresses of this machine.

    Raises:
        StartError: for a port that is taken or not permitted; the message names it.
    """
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family) as trial:
                if sys.platform != "win32":  # where it allows two on one port
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((host, port))
        except PermissionError as exc:
            raise StartError(
                f"This user is not allowed to listen on port {port}.", hint="Use a port above 1023."
            ) from exc
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise StartError(
                    f"Port {port} is taken on {host}.", hint="Choose another one with --port."
                ) from exc
            if family is socket.AF_INET:
                raise StartError(f"Port {port} cannot be bound: {exc.strerror}.") from exc
            # A machine without IPv6 has nobody on ::1 either.
