"""Run our own uvicorn on a listener, and handle its signals; what it serves is not its concern."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import math
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from stlaunch.errors import ExitCode, StartError
from stlaunch.process.exit import exit_now, exit_within
from stlaunch.server.listener import Listener
from stlaunch.server.pings import PingsInStep
from stlaunch.streamlit_adapter import WebSocketOptions

_SHUTDOWN_S = 5
_TICK_S = 1.0
_EXIT_S = 3
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
    """Serve until SIGTERM or SIGINT; return the exit code. A second signal ends it at once.

    Python delivers signals to the main thread alone: in another one only `stop` ends it.

    Args:
        app: the composed app.
        listener: where; closed at the end.
        websocket: how Streamlit wants its socket served.
        tls: certificate and key, where the app speaks https itself.
        on_ready: called when it listens.
        on_stop: awaited while the listener is still open, before connections are closed.
        stop: stops it when it is set; looked at once a second.
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
            ws_max_size=websocket.max_message_bytes,
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
        stop=stop,
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
        stop: threading.Event | None,
    ) -> None:
        super().__init__(config)
        self.on_ready = on_ready
        self.on_stop = on_stop
        self.on_second_signal = on_second_signal
        self.stop = stop
        self.stopped_by: int | None = None
        self._woken: Callable[[], object] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()

    async def on_tick(self, counter: int) -> bool:
        if self.stop is not None and self.stop.is_set():
            self.should_exit = True
        return await super().on_tick(counter)

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
                    target=importlib.import_module, args=["stlaunch.process.children"], daemon=True
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
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _end_at_once(listener: Listener, number: int) -> None:
    try:
        listener.close()
        from stlaunch.process.children import kill_children  # noqa: PLC0415 - needs psutil, which is slow

        kill_children()
    finally:
        exit_now(128 + number)


def _exit_code(stopped_by: int | None) -> ExitCode:
    return ExitCode.INTERRUPTED if stopped_by == signal.SIGINT else ExitCode.OK
