"""One tunnel: an ASGI WebSocket whose carrier is a series of HTTP requests.

It knows the app's side (`receive`, `send`) and the carrier's side (`deliver`, `frames_after`,
`acknowledge`); it does not know HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from collections.abc import Iterable
from dataclasses import field

from starlette.types import ASGIApp, Message, Scope

from stlaunch.gateway.tunnel.frames import Flags, Frame, Inbox, Outbox, Received
from stlaunch.gateway.turn import Turn
from stlaunch.quick_dataclass import dataclass

logger = logging.getLogger(__name__)

MAX_UNACKNOWLEDGED_BYTES = 16 * 1024 * 1024
MAX_UNREAD_MESSAGES = 256
_MAX_UNREAD_BYTES = 32 * 1024 * 1024
_MAX_ANSWER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How the app answered the handshake: `status` is 101 if it accepted."""

    status: int
    protocol: str | None = None


@dataclass(kw_only=True)
class Tunnel:
    """One page's connection.

    Attributes:
        id: contains the instance and 128 secret bits.
        owner: what later requests must share with the one that opened it.
        max_message_bytes: the largest message that the app accepts.
        idle_limit_s: how long it lives without any request.
        first_use_s: how long it lives until its first request: a page makes one at once.
    """

    id: str
    owner: str
    max_message_bytes: int
    idle_limit_s: float
    first_use_s: float = 10.0
    outbox: Outbox = field(default_factory=Outbox)
    is_closed: bool = False
    """The app's side has ended; what it sent may still be on its way."""
    is_end_sent: bool = False
    """The page has been sent everything, including the close frame."""
    is_used: bool = False
    """Whether the page has made a request since it opened the tunnel."""
    cut_s: int = 0
    """How many seconds of silence until something cuts its requests; 0 if nothing does."""
    polling: Turn = field(default_factory=Turn)
    """The turn of the requests that receive: one answer in flight, however many are requested."""
    putting: Turn = field(default_factory=Turn)
    """The turn of the requests that send."""

    def __post_init__(self) -> None:
        self._inbox = Inbox(self.max_message_bytes)
        self._unread: asyncio.Queue[Message] = asyncio.Queue()
        self._unread_bytes = 0
        self._unread_messages = 0
        self._changed = asyncio.Condition()
        self._opening: asyncio.Future[Opening] = asyncio.get_running_loop().create_future()
        self._seen_at = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._unread.put_nowait({"type": "websocket.connect"})

    # -- the carrier's side ---------------------------------------------------------------------

    async def open(self, app: ASGIApp, scope: Scope) -> Opening:
        """Start the app on this tunnel and return its answer to the handshake."""
        self._task = asyncio.create_task(self._run(app, scope), name=f"tunnel {self.id[:8]}")
        return await asyncio.shield(self._opening)

    def touch(self) -> None:
        """Note a sign of life; any request is one."""
        self._seen_at = time.monotonic()
        self.is_used = True

    @property
    def silent_s(self) -> float:
        """Seconds since the last request."""
        return time.monotonic() - self._seen_at

    @property
    def unused_s(self) -> float:
        """Seconds in which the page could have used it and did not; 0 once it has."""
        return 0.0 if self.is_used or not self._opening.done() else self.silent_s

    @property
    def is_abandoned(self) -> bool:
        """Whether the last request is longer ago than the limit."""
        first_s = min(self.first_use_s, self.idle_limit_s)
        return self.silent_s > (self.idle_limit_s if self.is_used else first_s)

    async def deliver(self, frames: Iterable[Frame]) -> int:
        """Take frames from the page; return the last number taken.

        Wait while the app has too much unread, so that the page waits too.

        Raises:
            FrameError: for a message that is too large.
        """
        for frame in frames:
            if not self._has_room:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._has_room or self.is_closed)
            for message in self._inbox.take([frame]):
                event = _as_event(message)
                self._unread_bytes += _size(event)
                self._unread_messages += 1
                self._unread.put_nowait(event)
        return self._inbox.acknowledged

    @property
    def _has_room(self) -> bool:
        return (
            self._unread_bytes < _MAX_UNREAD_BYTES and self._unread_messages < MAX_UNREAD_MESSAGES
        )

    @property
    def unfinished_bytes(self) -> int:
        """How much of a message has arrived from the page whose end has not."""
        return self._inbox.unfinished_bytes

    @property
    def acknowledged(self) -> int:
        """The number of the last frame taken from the page."""
        return self._inbox.acknowledged

    async def acknowledge(self, number: int) -> None:
        """Drop the frames that the page has received."""
        if self.outbox.acknowledge(number):
            await self._notify()

    async def frames_after(self, number: int, *, wait_s: float) -> list[Frame]:
        """Wait for frames after `number` and return some; none if the wait times out."""

        def is_over() -> bool:
            return self.outbox.last_number > number or self.is_closed

        if wait_s > 0 and not is_over():
            try:
                async with asyncio.timeout(wait_s), self._changed:
                    await self._changed.wait_for(is_over)
            except TimeoutError:
                return []
        found = self.outbox.after(number, max_bytes=_MAX_ANSWER_BYTES)
        is_all = not found or found[-1].number == self.outbox.last_number
        self.is_end_sent = self.is_closed and is_all
        return found

    async def disconnect(self, code: int = 1006) -> None:
        """Report to the app that its page is gone."""
        if not self.is_closed:
            self.is_closed = True
            self._inbox.discard()
            self._unread.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
            await self._notify()

    async def close(self, code: int, reason: str = "") -> None:
        """End both sides: the page gets a close frame, the app a disconnect."""
        if not self.is_closed:
            self.outbox.put(struct.pack("!H", code) + reason.encode(), Flags.CLOSE)
        await self.disconnect(code)

    async def end(self) -> None:
        """Wait for the app to end; cancel it if it does not."""
        await self.disconnect()
        self.polling.end()
        self.putting.end()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=5)
            if not done:
                self._task.cancel()

    # -- the app's side -------------------------------------------------------------------------

    async def receive(self) -> Message:
        """ASGI's receive; lets other tasks run between two messages that are already here."""
        await asyncio.sleep(0)
        message = await self._unread.get()
        if message["type"] == "websocket.receive":
            self._unread_bytes -= _size(message)
            self._unread_messages -= 1
            await self._notify()
        return message

    async def send(self, message: Message) -> None:
        """ASGI's send; waits while too much is unacknowledged.

        Streamlit's own rule for slow clients (its bounded queue) then applies, as for a socket.
        """
        match message["type"]:
            case "websocket.accept":
                self._answer(Opening(status=101, protocol=message.get("subprotocol")))
            case "websocket.http.response.start":
                self._answer(Opening(status=message["status"]))
            case "websocket.close" if not self._opening.done():
                self._answer(Opening(status=403))
            case "websocket.close":
                await self.close(message.get("code") or 1000, message.get("reason") or "")
            case "websocket.send" if not self.is_closed:
                text = message.get("text")
                if text is not None:
                    await self._put(text.encode(), Flags.TEXT)
                else:
                    await self._put(message.get("bytes") or b"", Flags.MORE)
            case _:
                pass

    async def _put(self, payload: bytes, flags: Flags) -> None:
        if self.outbox.unacknowledged_bytes > MAX_UNACKNOWLEDGED_BYTES:
            async with self._changed:
                await self._changed.wait_for(
                    lambda: (
                        self.outbox.unacknowledged_bytes <= MAX_UNACKNOWLEDGED_BYTES
                        or self.is_closed
                    )
                )
        self.outbox.put(payload, flags)
        await self._notify()

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        code = 1000
        try:
            await app(scope, self.receive, self.send)
        except Exception:  # whatever the app raises, its page must learn that it ended
            code = 1011
            logger.exception("The app failed on a tunnel")
        finally:
            self._answer(Opening(status=500 if code == 1011 else 403))  # noqa: PLR2004
            await self.close(code)
            self._unread = asyncio.Queue()  # nobody reads it any more

    def _answer(self, opening: Opening) -> None:
        if not self._opening.done():
            self._opening.set_result(opening)
            self._seen_at = time.monotonic()  # its page could not use it before

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def new_tunnel_id(instance_id: str) -> str:
    """Return an id that names its instance and that nobody can guess."""
    return f"{instance_id}.{secrets.token_urlsafe(16)}"


def _as_event(message: Received) -> Message:
    if message.flags & Flags.TEXT:
        return {"type": "websocket.receive", "text": message.payload.decode("utf-8", "replace")}
    return {"type": "websocket.receive", "bytes": message.payload}


def _size(event: Message) -> int:
    return len(event.get("bytes") or event.get("text") or "")
