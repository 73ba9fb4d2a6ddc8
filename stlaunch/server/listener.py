"""Bind the TCP or Unix socket that the app listens on; serve nothing on it."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
import sys
from pathlib import Path
from typing import TypeAlias

from stlaunch.errors import StartError
from stlaunch.process.unix import UNIX_FAMILY
from stlaunch.quick_dataclass import dataclass

# `Listener` has a field named like the module.
Socket: TypeAlias = socket.socket

_BACKLOG = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A bound, listening socket and how to name it."""

    socket: Socket
    name: str
    port: int | None
    uds: Path | None = None
    ipv6: Socket | None = None
    """The same port in the other address family, if all interfaces are meant."""

    @property
    def sockets(self) -> list[Socket]:
        """All its sockets."""
        return [self.socket, *([self.ipv6] if self.ipv6 else [])]

    def close(self) -> None:
        """Close the sockets, and remove the file of a unix socket."""
        for sock in self.sockets:
            sock.close()
        if self.uds is not None:
            with contextlib.suppress(OSError):  # the next start replaces it
                self.uds.unlink()


def bind_tcp(host: str, port: int, *, is_any_family: bool = False) -> Listener:
    """Listen on an address; `::` accepts IPv4 as well.

    Args:
        host: the address.
        port: the port; 0 for any free one.
        is_any_family: whether 0.0.0.0 is not the user's choice but our default for all interfaces:
            then IPv6 is included if this machine has it. A pod may have no IPv4.

    Raises:
        StartError: if the port is taken (naming the process that holds it) or not permitted, or
            the address is not this machine's. It never falls back to another port.
    """
    # As bytes if possible: for text Python loads its support for international names.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise StartError(
            f"The address {host!r} cannot be resolved: {exc.strerror}.",
            hint="Use --host 127.0.0.1, or 0.0.0.0 for all interfaces.",
        ) from exc
    # As Streamlit does: `localhost` is both, and proxies connect to 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    sock = _tcp_socket(family)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as exc:
        sock.close()
        raise _bind_error(host, port, exc) from exc
    bound = int(sock.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    ipv6 = _bind_ipv6(bound) if is_any_family and host == "0.0.0.0" else None
    return Listener(socket=sock, name=f"http://{shown}:{bound}", port=bound, ipv6=ipv6)


def bind_unix(path: Path) -> Listener:
    """Listen on a unix socket that owner and group may use; replace a stale file.

    Raises:
        StartError: if another process listens there, the path cannot be used, or the system has
            no such sockets.
    """
    if not UNIX_FAMILY:
        raise StartError(
            "--uds needs Unix sockets, which Python does not have on this system.",
            hint="Listen on a port: --host 127.0.0.1 --port 8501",
        )
    sock = socket.socket(UNIX_FAMILY)
    try:
        if path.exists():
            _remove_stale(path)
        sock.bind(str(path))
        path.chmod(0o660)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as exc:
        sock.close()
        raise StartError(
            f"The unix socket {str(path)!r} cannot be used: {exc.strerror or exc}.",
            hint="Choose a path that this user can write to, such as /run/app/app.sock.",
        ) from exc
    except StartError:
        sock.close()
        raise
    return Listener(socket=sock, name=f"unix:{path}", port=None, uds=path)


def _tcp_socket(family: int) -> socket.socket:
    # Named, not left at 0: asyncio sets TCP_NODELAY only on connections from such a socket.
    # Without it the end of each rerun waits for the client's delayed ACK, 40 ms on Linux.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform == "win32":
        # On Windows SO_REUSEADDR lets a second process listen on a port that is taken.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _bind_ipv6(port: int) -> socket.socket | None:
    try:
        sock = _tcp_socket(socket.AF_INET6)
    except OSError:
        return None
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::", port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        return None
    return sock


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise StartError(
            f"{str(path)!r} exists and is not a socket.", hint="Choose another path for --uds."
        )
    with socket.socket(UNIX_FAMILY) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise StartError(
        f"Another process listens on the unix socket {str(path)!r}.",
        hint="Stop it, or choose another path for --uds.",
    )


def _bind_error(host: str, port: int, exc: OSError) -> StartError:
    # Windows reports EACCES for a port that another process holds exclusively.
    holder = _holder_of(port) if exc.errno in {errno.EADDRINUSE, errno.EACCES} else None
    if exc.errno == errno.EADDRINUSE or holder:
        return StartError(
            f"Port {port} on {host} is taken{f' by {holder}' if holder else ''}.",
            hint="Stop that process, or choose another port: --port 8502",
        )
    if exc.errno in {errno.EACCES, errno.EPERM}:
        return StartError(
            f"This user is not allowed to listen on port {port} of {host}.",
            hint="Choose a port from 1024 upwards: --port 8501",
        )
    return StartError(
        f"Cannot listen on {host} port {port}: {exc.strerror or exc}.",
        hint="Use --host 127.0.0.1, or 0.0.0.0 for all interfaces.",
    )


def _holder_of(port: int) -> str | None:
    import psutil  # noqa: PLC0415 - needed for this message alone

    try:
        for connection in psutil.net_connections("inet"):
            is_listening = connection.status == psutil.CONN_LISTEN
            if is_listening and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    return "a process of another user"
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return None
    return None
