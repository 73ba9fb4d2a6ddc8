"""Visitors who come, run the script and go: one event loop, and as little decoding as possible.

Owns the coming and going. It must not know who serves the app.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from websockets.asyncio.client import connect

from stlaunch.check.protobuf import fields
from tests.harness.protocol import rerun_message

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.typing import Subprotocol

_ANSWER_S = 120.0
_PROTOCOLS: list[Subprotocol] = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]  # type: ignore[list-item]


class Visitors:
    """Rounds of sessions, until told to stop; use it as a context.

    Args:
        url: the app's address, with its final slash.
        sessions: how many come in each round.
        at_once: how many are there at the same time.
        runs: how often each of them runs the script.
        pause_s: how long each of them looks at a result.

    Attributes:
        gone: how many have come and gone.
        trouble: what went wrong, in the words of the exception.
    """

    def __init__(self, url: str, *, sessions: int, at_once: int, runs: int, pause_s: float) -> None:
        self.gone = 0
        self.trouble: list[str] = []
        self._address = url.replace("http", "ws", 1) + "_stcore/stream"
        self._sessions = sessions
        self._at_once = at_once
        self._runs = runs
        self._pause_s = pause_s
        self._finished_field = _finished_field()
        self._should_stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._come_and_go()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._should_stop.set()
        self._thread.join()

    async def _come_and_go(self) -> None:
        while not self._should_stop.is_set() and not self.trouble:
            places = asyncio.Semaphore(self._at_once)
            async with asyncio.TaskGroup() as group:
                for _ in range(self._sessions):
                    group.create_task(self._visit(places))

    async def _visit(self, places: asyncio.Semaphore) -> None:
        async with places:
            if self._should_stop.is_set() or self.trouble:
                return
            try:
                await self._run_script()
                self.gone += 1
            except Exception as exc:  # noqa: BLE001 - told in the main thread
                self.trouble.append(repr(exc))

    async def _run_script(self) -> None:
        # A busy machine may be late to answer pings, which is nobody's fault.
        async with connect(
            self._address,
            subprotocols=_PROTOCOLS,
            ping_interval=None,
            open_timeout=_ANSWER_S,
            max_size=None,
            compression=None,
        ) as socket:
            for run in range(1, self._runs + 1):
                await socket.send(rerun_message())
                shown = await asyncio.wait_for(self._until_finished(socket), _ANSWER_S)
                assert f"runs={run};".encode() in shown
                await asyncio.sleep(self._pause_s)

    async def _until_finished(self, socket: ClientConnection) -> bytes:
        """Return all messages of a run, one behind the other."""
        shown = bytearray()
        while True:
            data = await socket.recv()
            assert isinstance(data, bytes)
            shown += data
            if any(number == self._finished_field for number, _ in fields(memoryview(data))):
                return bytes(shown)


def _finished_field() -> int:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    return int(ForwardMsg.DESCRIPTOR.fields_by_name["script_finished"].number)
