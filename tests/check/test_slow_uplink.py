"""A slow uplink is no limit: only what is refused, or cut, is called one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve

from stlaunch.check.client import Client
from stlaunch.check.diagnosis import Status, diagnose
from stlaunch.check.dialer import Dialer
from stlaunch.check.observations import Exchange, Failure
from stlaunch.check.probes import limits, uploads
from stlaunch.check.probes.stream import Browser
from stlaunch.check.target import Target
from tests.check.cases import answer
from tests.check.recording import recorded

MEBIBYTE = 1024 * 1024
PASSES = 2 * MEBIBYTE


@pytest.fixture(autouse=True)
def _short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_STEP_TIMEOUT_S", 1.0)


def client(port: int) -> Client:
    target = Target.parse(f"http://127.0.0.1:{port}/")
    dialer = Dialer(target=target, address="127.0.0.1", context=None, timeout_s=10)
    return Client(dialer, slots=anyio.CapacityLimiter(1))


@asynccontextmanager
async def app_behind(*, cuts: bool) -> AsyncIterator[int]:
    """Run a WebSocket server behind a way on which a connection ends, or halts, after 2 MiB."""

    async def talk(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        below, above = await asyncio.open_connection("127.0.0.1", inner_port)

        async def back() -> None:
            while data := await below.read(65536):
                writer.write(data)

        returning = asyncio.create_task(back())
        sent = 0
        while (data := await reader.read(65536)) and sent < PASSES:
            sent += len(data)
            above.write(data)
        if data and not cuts:
            await asyncio.sleep(2)
        returning.cancel()
        for end in (above, writer):
            end.close()

    async with serve(talk, "127.0.0.1", 0, max_size=None, compression=None) as inner:
        inner_port = next(iter(inner.sockets)).getsockname()[1]
        async with await asyncio.start_server(relay, "127.0.0.1", 0) as outer:
            yield outer.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("cuts", "refused"),
    [pytest.param(True, 8 * MEBIBYTE, id="cut"), pytest.param(False, None, id="slow")],
)
def test_only_a_connection_that_ends_refuses_a_message(*, cuts: bool, refused: int | None) -> None:
    async def grow() -> tuple[int, int | None] | None:
        async with app_behind(cuts=cuts) as port:
            return await limits._grow_message(client(port), Browser())

    assert anyio.run(grow) == (MEBIBYTE, refused)


def late(size: int) -> Exchange:
    """Answer small bodies, and let large ones run out of time."""
    is_late = size > MEBIBYTE
    status = None if is_late else 204
    return Exchange(url="http://x/", status=status, failure=Failure.TIMEOUT if is_late else None)


def cut(size: int) -> Exchange:
    is_cut = size > MEBIBYTE
    status = None if is_cut else 204
    return Exchange(url="http://x/", status=status, failure=Failure.CLOSED if is_cut else None)


def of_the_app(size: int) -> Exchange:
    is_large = size > MEBIBYTE
    return Exchange(
        url="http://x/", status=413 if is_large else 204, text="File too large" if is_large else ""
    )


@pytest.mark.parametrize(
    ("behave", "refused"),
    [
        pytest.param(late, None, id="slow"),
        pytest.param(cut, MEBIBYTE + MEBIBYTE // 16, id="cut"),
        pytest.param(of_the_app, 0, id="the-apps-own"),
    ],
)
def test_only_a_refusal_limits_a_body(
    behave: object, refused: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def put(*_: object, padding: int = 0, **__: object) -> Exchange:
        assert callable(behave)
        answered: Exchange = behave(padding)
        return answered

    monkeypatch.setattr(uploads, "put", put)

    passed, found = anyio.run(limits._bisect_body, client(1), Browser(), "session")

    assert passed == MEBIBYTE
    assert bool(found) is bool(refused)
    assert (found is None) is (refused is None)


@pytest.mark.parametrize(
    ("code", "name"), [("STL601", "message"), ("STL607", "body")], ids=["messages", "uploads"]
)
def test_what_was_too_slow_is_not_measured(code: str, name: str) -> None:
    patch = {f"limits.{name}_passed": MEBIBYTE, f"limits.{name}_refused": None}
    check = next(one for one in diagnose(recorded(patch)).checks if one.code == code)

    assert check.status is Status.SKIP
    assert check.reason.endswith("could not be measured; up to 1.0 MiB they pass")


@pytest.mark.parametrize(
    ("failure", "status"), [("timeout", Status.SKIP), ("closed", Status.WARN)], ids=["slow", "cut"]
)
def test_a_late_answer_is_no_limit_on_headers(failure: str, status: Status) -> None:
    patch = answer("large_header", None) | {
        "http.large_header.failure": failure,
        "http.large_header.detail": "no whole answer",
    }
    check = next(one for one in diagnose(recorded(patch)).checks if one.code == "STL609")

    assert check.status is status
