"""Drain the app while its listener stays open; the server ends it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from stlaunch import streamlit_adapter
from stlaunch.gateway.state import Readiness
from stlaunch.gateway.tunnel.registry import TunnelRegistry
from stlaunch.streamlit_adapter import Session

logger = logging.getLogger(__name__)

_SERVICE_RESTART = 1012
_LOOK_S = 0.05
_TELL_S = 2.0


async def drain(readiness: Readiness, tunnels: TunnelRegistry, *, timeout_s: float) -> None:
    """Take no new sessions, and close each open one as soon as its script run is over.

    No further run starts: a page that keeps rerunning its script would never be idle. A page whose
    socket closes with 1012 (service restart) reconnects at once, to another replica if there is
    one, and repeats its request there. The server cuts off runs that exceed the timeout.

    Args:
        readiness: reports not ready from now on; waiting handshakes are refused at their turn.
        tunnels: the sessions without a WebSocket.
        timeout_s: how long script runs may take; idle pages are never waited for.
    """
    readiness.is_draining = True
    tunnels.is_stopping = True
    sessions = streamlit_adapter.connected_sessions()
    running = sum(session.is_running for session in sessions)
    if running:
        logger.info(
            "Stopping: waiting up to %g s for %s; another signal stops at once.",
            timeout_s,
            _counted(running),
        )
    end_at = time.monotonic() + timeout_s
    closing: dict[str, asyncio.Task[None]] = {}
    last_runs: set[str] = set()
    _let_no_run_follow(sessions, last_runs)
    while await _close_idle(sessions, closing) and time.monotonic() < end_at:
        await asyncio.sleep(_LOOK_S)
        sessions = streamlit_adapter.connected_sessions()
        _let_no_run_follow(sessions, last_runs)  # a page may still have been connecting
    cut_off = sum(session.is_running for session in sessions)
    if cut_off:
        counted = _counted(cut_off)
        logger.warning("Cancelled %s: the %g s drain timeout is over.", counted, timeout_s)
    await tunnels.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TELL_S):
            await asyncio.gather(*closing.values())
            # A handshake without an answer would get 500 from uvicorn.
            while tunnels.has_unsent_end or readiness.waiting:  # noqa: ASYNC110 - set by requests
                await asyncio.sleep(_LOOK_S)


def _let_no_run_follow(sessions: list[Session], notified: set[str]) -> None:
    for session in sessions:
        if session.id not in notified:
            notified.add(session.id)
            session.let_no_run_follow()


async def _close_idle(sessions: list[Session], closing: dict[str, asyncio.Task[None]]) -> bool:
    """Start closing idle sessions; return whether anything is left to wait for."""
    open_ones = [session for session in sessions if session.id not in closing]
    idle = [session for session in open_ones if not session.is_busy]
    is_flushed = not idle or await streamlit_adapter.wait_for_flush()
    for session in idle:
        if is_flushed and not session.is_busy and session.has_socket:
            closing[session.id] = asyncio.create_task(_close(session), name="closing a session")
    return any(
        session.id not in closing and (session.is_busy or session.has_socket)
        for session in open_ones
    )


async def _close(session: Session) -> None:
    try:
        await session.close(_SERVICE_RESTART)
    except Exception as exc:  # noqa: BLE001 - whatever a page that has gone makes of it, the stop goes on
        logger.debug("A session's socket did not close: %r", exc)


def _counted(count: int) -> str:
    return "1 running script" if count == 1 else f"{count} running scripts"
