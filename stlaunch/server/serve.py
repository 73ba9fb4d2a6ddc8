"""Run our own uvicorn on a listener, and handle its signals."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import FrameType
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp

from stlaunch.errors import ExitCode, StartError
from stlaunch.process.exit import exit_now, exit_within
from stlaunch.server.console import stopping_with_console
from stlaunch.server.listener import Listener
from stlaunch.streamlit_adapter import WebSocketOptions
from stlaunch.streamlit_adapter.internals import (
    BAD_BODIES,
    CONNECTIONS,
    CUT_SHORT,
    PINGS,
    QUIET_LOOP,
    SECOND_SIGNAL,
    STOPPING,
)

logger = logging.getLogger(__name__)

_SHUTDOWN_S = 5
# Longer than proxies keep an idle connection for the next request (Google's load balancers 600 s,
# AWS's 60 s). One that the app closes first is lost to a request on its way: 502 or 503.
_KEEP_ALIVE_S = 620
_TICK_S = 1.0
_LOOK_S = 0.005
_EXIT_S = 3
# On Windows, which cannot send SIGTERM, one process stops another with Ctrl-Break.
_SIGNALS = tuple(
    signal.Signals[name]
    for name in ("SIGTERM", "SIGINT", "SIGBREAK")
    if name in signal.Signals.__members__
)


def serve(
    app: ASGIApp,
    listener: Listener,
    *,
    websocket: WebSocketOptions,
    tls: tuple[str, str] | None,
    on_ready: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
    stop: threading.Event | None = None,
    is_own_process: bool = False,
) -> int:
    """Serve until SIGTERM, SIGINT or SIGBREAK; return the exit code. A second one ends it at once.

    Python delivers signals only to the main thread: in any other thread only `stop` ends it.

    Args:
        app: the composed app.
        listener: where to serve; closed at the end.
        websocket: how Streamlit wants its socket served.
        tls: certificate and key, if the app itself serves https.
        on_ready: called when the server listens.
        on_stop: awaited while the listener is still open, before connections are closed.
        stop: stops the server when set; checked once a second.
        is_own_process: whether we may end the process, whatever still runs in it.

    Raises:
        StartError: if the app's own start-up fails.
    """
    server = _Server(
        uvicorn.Config(
            app,
            # Forwarding headers are read by ForwardedHeadersMiddleware, from trusted peers only.
            proxy_headers=False,
            http=_http_protocol(),
            ws=_websocket_protocol(),
            ws_ping_interval=websocket.ping_interval_s,
            ws_ping_timeout=websocket.ping_timeout_s,
            ws_max_size=websocket.max_message_bytes,
            ws_per_message_deflate=websocket.is_compressed,
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
            lifespan="on",
            log_config=None,  # its log lines go through stlaunch.log
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
            timeout_keep_alive=_KEEP_ALIVE_S,
        ),
        on_ready,
        on_stop,
        on_second_signal=partial(_end_at_once, listener) if is_own_process else None,
        stop=stop,
    )
    if is_own_process and hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=partial(_leave_to_parent, server, listener))
    try:
        server.run(sockets=listener.sockets)
    except SystemExit as exc:
        raise StartError("The app failed to start.", hint="See the error above.") from exc
    finally:
        listener.close()
    return _exit_code(server.stopped_by)


class _Server(uvicorn.Server):
    """uvicorn that reports when it listens, drains before it closes, and leaves us the exit code.

    Apart from its public `serve`, only `main_loop` is replaced, and only in versions where it fits.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[], None],
        on_stop: Callable[[], Awaitable[None]],
        on_second_signal: Callable[[int], None] | None,
        stop: threading.Event | None,
    ) -> None:
        super().__init__(config)
        self.on_ready = on_ready
        self.on_stop = on_stop
        self.on_second_signal = on_second_signal
        self.stop = stop
        self.stopped_by: int | None = None
        self._is_stopping = asyncio.Event()
        self._has_ended = asyncio.Event()
        self._wake: Callable[[], object] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, self._is_stopping.set)
        self._wake = wake
        with (
            stopping_with_console(wake),
            self._handling_signals() as handle_signals,
        ):
            life = asyncio.create_task(self._live(handle_signals), name="server's life")
            if not STOPPING.fits:
                life.add_done_callback(partial(_cancel, asyncio.current_task()))
            try:
                await super().serve(sockets)
            except asyncio.CancelledError:
                if not life.done():
                    raise
                if CUT_SHORT.fits:
                    await self.shutdown(sockets)
            finally:
                life.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await life

    async def _live(self, handle_signals: Callable[[], None]) -> None:
        """Wait until the server listens, then for a signal; drain, and let uvicorn end."""
        try:
            while not getattr(self, "started", True):  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(_LOOK_S)
            handle_signals()  # uvicorn has taken them over
            self.on_ready()
            await self._wait_for_stop()
            await self._wind_down()
        finally:
            self.should_exit = True
            self._has_ended.set()

    async def _wait_for_stop(self) -> None:
        while self.stop is not None and not (self.stop.is_set() or self._is_stopping.is_set()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._is_stopping.wait()
        if self.stop is None:
            await self._is_stopping.wait()

    async def _wind_down(self) -> None:
        if self.on_second_signal is not None:
            # In a thread: a second signal that needs the module waits for the import to complete.
            with contextlib.suppress(RuntimeError):  # no more threads: it is imported when needed
                threading.Thread(
                    target=importlib.import_module, args=["stlaunch.process.children"], daemon=True
                ).start()
        try:
            await self.on_stop()
        except Exception:
            logger.exception("Draining the app failed; stopping without it")
        if self.on_second_signal is not None:
            exit_within(_SHUTDOWN_S + _EXIT_S, _exit_code(self.stopped_by))

    async def main_loop(self) -> None:
        # uvicorn's own loop wakes ten times a second to check for a stop: a quarter of all wake-ups
        # of an idle app. We are notified; the Date header needs one wake-up a second.
        if not QUIET_LOOP.fits:
            await super().main_loop()
            return
        loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                # At whole seconds, when sockets are pinged too.
                async with asyncio.timeout_at(math.floor(loop.time() + _TICK_S)):
                    await self._has_ended.wait()

    def _stop(self, sig: int, _frame: FrameType | None) -> None:
        if self.stopped_by is None:
            self.stopped_by = sig
        elif self.on_second_signal is not None:
            self.on_second_signal(sig)
        elif SECOND_SIGNAL.fits:
            self.force_exit = True
        if self._wake is not None:
            self._wake()

    @contextlib.contextmanager
    def _handling_signals(self) -> Generator[Callable[[], None], None, None]:
        """Handle signals in the block; yield a function that re-installs the handlers."""
        if threading.current_thread() is not threading.main_thread():
            yield lambda: None  # Python delivers signals only to the main thread
            return

        def handle() -> None:
            for number in _SIGNALS:
                signal.signal(number, self._stop)

        previous = {number: signal.getsignal(number) for number in _SIGNALS}
        handle()
        try:
            yield handle
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _cancel(serving: asyncio.Task[None] | None, life: asyncio.Task[None]) -> None:
    if serving is not None and not life.cancelled():
        serving.cancel()


def _websocket_protocol() -> type[asyncio.Protocol] | Literal["auto"]:
    if not PINGS.fits:
        return "auto"
    from stlaunch.server.pings import PingsInStep  # noqa: PLC0415 - may not be there to import

    return PingsInStep


def _http_protocol() -> type[asyncio.Protocol] | Literal["auto"]:
    if not BAD_BODIES.fits or importlib.util.find_spec("httptools") is not None:
        return "auto"
    from stlaunch.server.malformed_requests import QuietH11  # noqa: PLC0415 - may not be there to import

    return QuietH11


def _leave_to_parent(server: uvicorn.Server, listener: Listener) -> None:
    """Release all sockets in a process that the script forked, such as multiprocessing's.

    A port stays taken, and a browser waits for the end of a connection, until the last process that
    has it open is gone. The descriptors stay in use, as Python objects will close them again.
    """
    held = [sock.fileno() for sock in listener.sockets]
    none: list[Any] = []
    for connection in CONNECTIONS.attempt(lambda: [*server.server_state.connections], none):
        transport = getattr(connection, "transport", None)
        sock = transport and transport.get_extra_info("socket")
        held += [sock.fileno()] if sock else []
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in held:
        if descriptor >= 0:
            os.dup2(nowhere, descriptor, inheritable=False)
    os.close(nowhere)


def _end_at_once(listener: Listener, number: int) -> None:
    try:
        listener.close()
        from stlaunch.process.children import kill_children  # noqa: PLC0415 - needs psutil, which is slow

        kill_children()
    finally:
        exit_now(128 + number)


def _exit_code(stopped_by: int | None) -> ExitCode:
    return ExitCode.INTERRUPTED if stopped_by == signal.SIGINT else ExitCode.OK
