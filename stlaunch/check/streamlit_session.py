"""Run the app's script once over Streamlit's own protocol, as its page does.

The field numbers are those of Streamlit 1.50 to 1.67 (proto/ForwardMsg.proto, BackMsg.proto).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

import anyio
import anyio.lowlevel

from stlaunch.check import protobuf
from stlaunch.check.observations import Session
from stlaunch.check.protobuf import DamagedMessageError

_RERUN = b"\x5a\x00"  # BackMsg.rerun_script (11), an empty ClientState
_NEW_SESSION, _DELTA, _FINISHED = 4, 5, 6
_SESSION_ID = (_NEW_SESSION, 1, 6)
_VERSION = (_NEW_SESSION, 1, 3, 1)
_EXCEPTION = (_DELTA, 3, 8)
_EXCEPTION_TYPE = (*_EXCEPTION, 1)
_EXCEPTION_IS_WARNING = (*_EXCEPTION, 5)
_COMPILE_ERROR = 1
_MAX_MESSAGES = 100_000
_BREATH = 64
_MAX_BYTES = 256 * 1024 * 1024


class Carrier(Protocol):
    """What carries Streamlit's messages: a WebSocket, or something in its place."""

    close_code: int | None
    close_reason: str
    damage: str

    async def send(self, data: bytes) -> None:
        """Send a message."""

    async def receive(self) -> bytes | None:
        """Return the next message; None once it is closed."""


async def run_script(
    socket: Carrier,
    *,
    timeout_s: float,
    with_session: Callable[[str], Awaitable[None]] | None = None,
) -> Session:
    """Ask for one run and read until it has finished, the connection ends or the time is up.

    Args:
        socket: an open stream.
        timeout_s: for the run.
        with_session: called with the session's id while the session is alive.
    """
    session = Session()
    session_id = ""
    started = time.monotonic()

    def elapsed_ms() -> int:
        return round((time.monotonic() - started) * 1000)

    with anyio.move_on_after(timeout_s):
        await socket.send(_RERUN)
        while session.messages < _MAX_MESSAGES and session.size < _MAX_BYTES:
            if session.messages % _BREATH == 0:  # what has already arrived is read without waiting
                await anyio.lowlevel.checkpoint()
            message = await socket.receive()
            if message is None:
                session = replace(session, closed_ms=elapsed_ms())
                break
            if session.first_ms is None:
                session = replace(session, first_ms=elapsed_ms())
            try:
                session = _noted(session, memoryview(message))
                session_id = session_id or protobuf.text(memoryview(message), *_SESSION_ID)
            except DamagedMessageError as exc:
                session = replace(session, damage=f"message {session.messages + 1}: {exc}")
                break
            if protobuf.find(memoryview(message), _FINISHED) is not None:
                session = replace(session, finished_ms=elapsed_ms())
                break
    if session_id and with_session is not None and session.closed_ms is None:
        await with_session(session_id)
    return replace(
        session,
        close_code=socket.close_code,
        close_reason=socket.close_reason,
        damage=session.damage or socket.damage,
    )


def _noted(session: Session, message: memoryview) -> Session:
    session = replace(session, messages=session.messages + 1, size=session.size + len(message))
    if not session.streamlit_version:
        version = protobuf.text(message, *_VERSION)
        session = replace(session, streamlit_version=version[:40])
    if not session.exception and not protobuf.find(message, *_EXCEPTION_IS_WARNING):
        session = replace(session, exception=protobuf.text(message, *_EXCEPTION_TYPE)[:100])
    if protobuf.find(message, _FINISHED) == _COMPILE_ERROR:
        session = replace(session, is_compiled=False)
    return session
