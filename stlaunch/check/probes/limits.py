"""Measure idle time, sizes and buffering: only for `--limits`, because it takes time."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

import anyio

from stlaunch.check import protobuf
from stlaunch.check.client import Client
from stlaunch.check.observations import Exchange, Failure, Limits, Opening
from stlaunch.check.probes import uploads
from stlaunch.check.probes.stream import Browser
from stlaunch.check.sent import ANNOUNCED_BYTES
from stlaunch.check.streamlit_session import run_script
from stlaunch.check.websocket import Socket, open_socket
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.streamlit_routes import SELF_CHECK, STREAM

_MIN_BODY = 64 * 1024
_MAX_BODY = ANNOUNCED_BYTES
_STEP_TIMEOUT_S = 20.0
_MAX_S = 60.0
_MESSAGES = (64 * 1024, 1024 * 1024, 8 * 1024 * 1024)
_HEARTBEAT = b"\x88\x01\x01"  # BackMsg.app_heartbeat (17)
_PADDING_FIELD = 1000  # unknown to Streamlit, so it is skipped
_TOO_LARGE_FOR_APP = "File too large"  # Streamlit's answer beyond server.maxUploadSize


@dataclass(slots=True)
class _Measured:
    """Filled in by tasks that run at the same time."""

    idle_s: float | None = None
    busy_s: float | None = None
    body: tuple[int, int | None] | None = None
    message: tuple[int, int | None] | None = None
    drip: tuple[int, int] | None = None


async def measure_limits(
    client: Client, browser: Browser, *, idle_s: float, has_self_check: bool
) -> Limits:
    """Measure all of them at the same time."""
    seen = _Measured()

    async def idle() -> None:
        seen.idle_s = await _lifetime(client, browser, idle_s, is_busy=False)

    async def busy() -> None:
        seen.busy_s = await _lifetime(client, browser, idle_s, is_busy=True)

    async def body() -> None:
        seen.body = await _measure_body(client, browser)

    async def message() -> None:
        seen.message = await _grow_message(client, browser)

    async def drip() -> None:
        if has_self_check:
            seen.drip = await _drip(client)

    with anyio.move_on_after(_MAX_S + 2 * idle_s):
        async with anyio.create_task_group() as tasks:
            for task in (idle, busy, body, message, drip):
                tasks.start_soon(task)
    passed, refused = seen.body or (None, None)
    message_passed, message_refused = seen.message or (None, None)
    drip_first, drip_last = seen.drip or (None, None)
    return Limits(
        idle_s=seen.idle_s,
        watched_s=idle_s,
        busy_s=seen.busy_s,
        body_passed=passed,
        body_refused=refused,
        message_passed=message_passed,
        message_refused=message_refused,
        drip_first_ms=drip_first,
        drip_last_ms=drip_last,
    )


async def _lifetime(
    client: Client, browser: Browser, watch_s: float, *, is_busy: bool
) -> float | None:
    """Return after how many seconds the connection was cut; 0 where it was not."""
    async with _stream(client, browser) as (_, socket):
        if socket is None:
            return None
        started = time.monotonic()
        with anyio.move_on_after(watch_s):
            async with anyio.create_task_group() as tasks:
                if is_busy:
                    tasks.start_soon(_keep_busy, socket)
                await _answer_pings(socket)
                tasks.cancel_scope.cancel()
            return round(time.monotonic() - started, 1)
        await socket.close()
        return 0.0


async def _keep_busy(socket: Socket) -> None:
    while True:
        await anyio.sleep(0.5)
        await socket.ping()


async def _measure_body(client: Client, browser: Browser) -> tuple[int, int | None] | None:
    """Return the largest body that passed and the smallest that was refused.

    The latter is 0 where none was, and None where that is not known: one took too long.

    In a session, because Streamlit reads those uploads to their end. Others it refuses at once, and
    a proxy that counts only while it reads (Caddy) passes that answer on whatever the size.
    """
    found: tuple[int, int | None] | None = None
    async with _stream(client, browser) as (_, socket):
        if socket is None:
            return None

        async def with_session(session_id: str) -> None:
            nonlocal found
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_answer_pings, socket)
                found = await _bisect_body(client, browser, session_id)
                tasks.cancel_scope.cancel()

        await run_script(socket, timeout_s=client.dialer.timeout_s, with_session=with_session)
    return found


async def _answer_pings(socket: Socket) -> None:
    while await socket.receive() is not None:
        pass


async def _bisect_body(client: Client, browser: Browser, session_id: str) -> tuple[int, int | None]:
    async def put(size: int) -> Exchange:
        return await uploads.put(
            client, browser, session_id, padding=size, timeout_s=_STEP_TIMEOUT_S
        )

    passed, refused = 0, 0
    size = _MIN_BODY
    while size <= _MAX_BODY and not refused:
        answer = await put(size)
        verdict = _passes(answer)
        if verdict is None:
            return passed, 0 if passed and _is_apps_limit(answer) else None
        passed, refused = (size, 0) if verdict else (passed, size)
        size = min(size * 4, _MAX_BODY) if size < _MAX_BODY else size + 1
    while refused and refused - passed > max(passed // 8, _MIN_BODY // 4):
        middle = (passed + refused) // 2
        verdict = _passes(await put(middle))
        if verdict is None:
            break
        passed, refused = (middle, refused) if verdict else (passed, middle)
    return passed, refused


def _passes(answer: Exchange) -> bool | None:
    """Return whether the app got the body; None if that is unknown, as after a timeout."""
    if answer.status == HTTPStatus.NO_CONTENT:
        return True
    is_refused = (
        answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or answer.failure is Failure.CLOSED
    )
    return False if is_refused and not _is_apps_limit(answer) else None


def _is_apps_limit(answer: Exchange) -> bool:
    return answer.text.strip() == _TOO_LARGE_FOR_APP


async def _grow_message(client: Client, browser: Browser) -> tuple[int, int | None] | None:
    """Return the largest message to the app that passed and the smallest that did not.

    Only a connection that ends refuses one; the latter is None where one took too long.
    """
    passed = 0
    for size in _MESSAGES:
        async with _stream(client, browser) as (_, socket):
            if socket is None:
                return None
            is_answered: bool | None = None
            with anyio.move_on_after(_STEP_TIMEOUT_S):
                await socket.send(_HEARTBEAT + protobuf.padded_field(_PADDING_FIELD, size))
                await socket.ping()
                is_answered = await _waits_for_pong(socket)
            if is_answered is None:
                return passed, None
            if not is_answered:
                return passed, size
            passed = size
            await socket.close()
    return passed, 0


async def _waits_for_pong(socket: Socket) -> bool:
    while (message := await socket.receive(pongs=True)) is not None:
        if not message:
            return True
    return False


async def _drip(client: Client) -> tuple[int, int] | None:
    """Return when the first and the last byte of a slow response came; None without `drip`."""
    path = client.dialer.target.path(SELF_CHECK + "/drip")
    answer = await client.send("GET", path, timeout_s=_STEP_TIMEOUT_S)
    if not answer.is_ok or answer.first_ms is None:
        return None
    return answer.first_ms, answer.elapsed_ms


def _stream(
    client: Client, browser: Browser
) -> AbstractAsyncContextManager[tuple[Opening, Socket | None]]:
    target = client.dialer.target
    return open_socket(
        client,
        target.path(STREAM),
        origin=str(target.origin),
        protocols=browser.protocols(),
    )
