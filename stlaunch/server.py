"""Bind the socket and run our own uvicorn on it; what it serves is decided elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import math
import os
import signal
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeAlias

import uvicorn
from starlette.types import ASGIApp

from stlaunch.exceptions import StartError
from stlaunch.exit_codes import ExitCode
from stlaunch.keepalive import PingsInStep
from stlaunch.process import exit_now, exit_within
from stlaunch.streamlit_adapter import WebSocketOptions

# `Listener` has a field named like the module.
Socket: TypeAlias = socket.socket

_BACKLOG = 2048
_SHUTDOWN_S = 5
_TICK_S = 1.0
_EXIT_S = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A bound, listening socket and how to name it."""

    socket: Socket
    name: str
    port: int | None
    uds: Path | None = None
    ipv6: Socket | None = None
    """The same port in the other family, where all interfaces are meant."""

    @property
    def sockets(self) -> list[Socket]:
        """All of them."""
        return [self.socket, *([self.ipv6] if self.ipv6 else [])]

    def close(self) -> None:
        """Close it, and remove the file of a unix socket."""
        for sock in self.sockets:
            sock.close()
        if self.uds is not None:
            self.uds.unlink(missing_ok=True)


def bind_tcp(host: str, port: int, *, is_any_family: bool = False) -> Listener:
    """Listen on an address; `::` takes IPv4 as well.

    Args:
        host: the address.
        port: the port; 0 for any free one.
        is_any_family: whether 0.0.0.0 is nobody's wish but our word for all interfaces: then those
            of IPv6 as well, where this machine has it. A pod may have no other.

    Raises:
        StartError: for a port that is taken (naming who holds it), not permitted, or an address
            that is not this machine's. Never silently another port.
    """
    # As bytes where it can be: for text Python loads what it knows of international names.
    name = host.encode() if host.isascii() else host
    try:
        family, _, _, _, address = socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as exc:
        raise StartError(
            f"The address {host!r} cannot be resolved: {exc.strerror}.",
            hint="Use --host 127.0.0.1, or 0.0.0.0 for all interfaces.",
        ) from exc
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


def _tcp_socket(family: int) -> socket.socket:
    # Named, not left at 0: asyncio sets TCP_NODELAY on what is accepted from such a socket alone.
    # Without it the end of each rerun waits for the client's delayed ACK, 40 ms on Linux.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def bind_unix(path: Path) -> Listener:
    """Listen on a unix socket that owner and group may use; a stale file is replaced.

    Raises:
        StartError: where another process listens there, or the path cannot be used.
    """
    sock = socket.socket(socket.AF_UNIX)
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
            hint="Choose a path in a folder that this user may write, such as /run/app/app.sock.",
        ) from exc
    except StartError:
        sock.close()
        raise
    return Listener(socket=sock, name=f"unix:{path}", port=None, uds=path)


def serve(
    app: ASGIApp,
    listener: Listener,
    *,
    websocket: WebSocketOptions,
    tls: tuple[str, str] | None,
    on_ready: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
    is_own_process: bool = False,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code. A second signal ends it at once.

    Args:
        app: the composed app.
        listener: where; closed at the end.
        websocket: how Streamlit wants its socket served.
        tls: certificate and key, where the app speaks https itself.
        on_ready: called when it listens.
        on_stop: awaited while the listener is still open, before connections are closed.
        is_own_process: whether the process is ours to end, whatever still runs in it.

    Raises:
        StartError: where the app's own start-up fails.
    """
    server = _Server(
        uvicorn.Config(
            app,
            # Forwarding headers are read by ForwardedHeadersMiddleware, from trusted peers only.
            proxy_headers=False,
            ws=PingsInStep,
            ws_ping_interval=websocket.ping_interval_s,
            ws_ping_timeout=websocket.ping_timeout_s,
            ws_max_size=websocket.largest_message_bytes,
            ws_per_message_deflate=websocket.is_compressed,
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
            lifespan="on",
            log_config=None,  # its lines go through stlaunch.log
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        ),
        on_ready,
        on_stop,
        on_second_signal=partial(_end_at_once, listener) if is_own_process else None,
    )
    try:
        server.run(sockets=listener.sockets)
    except SystemExit as exc:
        raise StartError(
            "The app's start-up failed.", hint="Its error stands above this line."
        ) from exc
    finally:
        listener.close()
    return _exit_code(server.stopped_by)


class _Server(uvicorn.Server):
    """uvicorn that says when it listens, and leaves the exit code to us."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        on_stop: Callable[[], Awaitable[None]],
        on_second_signal: Callable[[int], None] | None,
    ) -> None:
        super().__init__(config)
        self.on_ready = on_ready
        self.on_stop = on_stop
        self.on_second_signal = on_second_signal
        self.stopped_by: int | None = None
        self._woken: Callable[[], object] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()

    async def main_loop(self) -> None:
        # uvicorn's own wakes ten times a second to see whether it was stopped: a quarter of all
        # that wakes an idle app. A signal says so itself; the Date header needs one look a second.
        loop, is_stopping = asyncio.get_running_loop(), asyncio.Event()
        self._woken = partial(loop.call_soon_threadsafe, is_stopping.set)
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                # At the whole seconds, at which sockets are pinged too.
                async with asyncio.timeout_at(math.floor(loop.time() + _TICK_S)):
                    await is_stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.on_second_signal is not None:
            # In a thread: a second signal that needs it meanwhile then waits for the whole of it.
            with contextlib.suppress(RuntimeError):  # no more threads: it comes in when needed
                threading.Thread(
                    target=importlib.import_module, args=["stlaunch.children"], daemon=True
                ).start()
        await self.on_stop()
        if self.on_second_signal is not None:
            exit_within(_SHUTDOWN_S + _EXIT_S, _exit_code(self.stopped_by))
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.stopped_by is None:
            self.stopped_by = sig
        elif self.on_second_signal is not None:
            self.on_second_signal(sig)
        else:
            self.force_exit = True
        super().handle_exit(sig, frame)
        if self._woken is not None:
            self._woken()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's own raises the signal again after a clean stop, which hides that it was clean.
        previous = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _end_at_once(listener: Listener, number: int) -> None:
    try:
        listener.close()
        from stlaunch.children import kill_children  # noqa: PLC0415 - needs psutil, which is slow

        kill_children()
    finally:
        exit_now(128 + number)


def _exit_code(stopped_by: int | None) -> ExitCode:
    return ExitCode.INTERRUPTED if stopped_by == signal.SIGINT else ExitCode.OK


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise StartError(
            f"{str(path)!r} exists and is not a socket.", hint="Choose another path for --uds."
        )
    with socket.socket(socket.AF_UNIX) as probe:
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
    if exc.errno == errno.EADDRINUSE:
        holder = _holder_of(port)
        return StartError(
            f"Port {port} on {host} is taken{f' by {holder}' if holder else ''}.",
            hint="Stop that process, or choose another port: --port 8502",
        )
    if exc.errno in {errno.EACCES, errno.EPERM}:
        return StartError(
            f"This user may not listen on port {port} of {host}.",
            hint="Choose a port from 1024 upwards: --port 8501",
        )
    return StartError(
        f"Cannot listen on {host} port {port}: {os.strerror(exc.errno or 0)}.",
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
