"""Open a WebSocket by hand, so that a broken answer can be described, and exchange messages.

The handshake is h11's, the frames are those of `websockets`; messages and time are bounded.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import h11
from anyio.abc import ByteStream
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from stlaunch.check.client import CHECK, Answer, Client, readable
from stlaunch.check.dialer import failure_of
from stlaunch.check.observations import Failure, Opening
from stlaunch.check.options import Headers

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_MAX_MESSAGE = 64 * 1024 * 1024
_READ = 64 * 1024
_BODY_LIMIT = 64 * 1024
_SWITCHING = 101
_GOODBYE_S = 1.0


class Socket:
    """An open WebSocket.

    Attributes:
        close_code: of the peer's close frame; None without one.
        close_reason: of that frame.
        damage: what was wrong with a frame; empty while all were valid.
    """

    def __init__(self, stream: ByteStream, early: bytes) -> None:
        self._stream = stream
        self._frames = Protocol(CLIENT, state=OPEN, max_size=_MAX_MESSAGE)
        self._early = early
        self._events: deque[object] = deque()
        self._parts: list[bytes] = []
        self._size = 0
        self.close_code: int | None = None
        self.close_reason = ""
        self.damage = ""

    async def send(self, data: bytes) -> None:
        """Send a binary message; nothing once the connection is closing."""
        if self._frames.state is not OPEN:
            return
        self._frames.send_binary(data)
        await self._flush()

    async def ping(self) -> None:
        """Send a ping; the peer's pong ends the wait of `receive(pongs=True)`."""
        if self._frames.state is not OPEN:
            return
        self._frames.send_ping(b"stlaunch")
        await self._flush()

    async def receive(self, *, pongs: bool = False) -> bytes | None:
        """Return the next message; None once the connection is closed.

        Args:
            pongs: return an empty message for a pong.
        """
        while True:
            self._events.extend(self._frames.events_received())
            while self._events:
                event = self._events.popleft()
                assert isinstance(event, Frame)  # noqa: S101 - a client's events after the opening
                if event.opcode is Opcode.PONG and pongs:
                    return b""
                message = self._take(event)
                if message is not None:
                    return message
            if self._frames.parser_exc is not None and not self.damage:
                self.damage = _reason(self._frames.parser_exc)
            if self.close_code is not None or self.damage:
                return None
            data, self._early = self._early, b""
            try:
                data = data or await self._stream.receive(_READ)
            except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
                return None
            self._frames.receive_data(data)
            await self._flush()

    async def close(self) -> None:
        """Send a close frame without waiting for the peer's; abandon a peer that reads nothing."""
        if self._frames.state is not OPEN:
            return
        self._frames.send_close(1000)
        with anyio.move_on_after(_GOODBYE_S):
            await self._flush()

    async def _flush(self) -> None:
        data = b"".join(self._frames.data_to_send())
        if data:
            try:
                await self._stream.send(data)
            except (anyio.BrokenResourceError, OSError):
                return  # the next read shows it

    def _take(self, frame: Frame) -> bytes | None:
        if frame.opcode is Opcode.CLOSE:
            received = self._frames.close_rcvd
            self.close_code = received.code if received else 1005
            self.close_reason = received.reason[:200] if received else ""
            return None
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return None
        self._parts.append(bytes(frame.data))
        self._size += len(frame.data)
        if self._size > _MAX_MESSAGE:
            self.damage = f"a message of more than {_MAX_MESSAGE} bytes"
            return None
        if not frame.fin:
            return None
        message = b"".join(self._parts)
        self._parts, self._size = [], 0
        return message


@asynccontextmanager
async def open_socket(
    client: Client,
    path: str,
    *,
    origin: str,
    protocols: Sequence[str],
    without: Sequence[str] = (),
    extra: Headers = (),
) -> AsyncIterator[tuple[Opening, Socket | None]]:
    """Try a handshake; the socket is None where it failed.

    Args:
        client: for its headers and address.
        path: of the stream.
        origin: the Origin header; none where it is empty.
        protocols: to offer.
        without: names of cookies to leave out.
        extra: more headers.
    """
    key = base64.b64encode(os.urandom(16)).decode()
    handshake = _handshake_headers(origin, key, protocols)
    sent = client.head(path, (*handshake, CHECK, *extra), without=without)
    async with client.one_connection():
        answer = Answer()
        started = time.monotonic()
        stream: ByteStream | None = None
        early = b""
        try:
            with anyio.move_on_after(client.dialer.timeout_s) as scope:
                try:
                    stream = await client.dialer.connect()
                    early = await _shake(stream, path, sent, answer)
                except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as exc:
                    answer.failure, answer.detail = failure_of(exc)
                except h11.RemoteProtocolError as exc:
                    ended = "without sending" in str(exc) or "closed connection" in str(exc)
                    answer.failure = Failure.CLOSED if ended else Failure.BAD_HTTP
                    answer.detail = str(exc)
            if scope.cancelled_caught:
                answer.failure, answer.detail = Failure.TIMEOUT, "no whole answer in time"
            accepts = [value for name, value in answer.headers if name == "sec-websocket-accept"]
            opening = Opening(
                url=f"{client.dialer.target.origin}{path}",
                sent=tuple((name.lower(), value) for name, value in sent),
                status=answer.status,
                headers=answer.headers,
                text=answer.text,
                is_accept_right=accepts == [_accept(key)],
                elapsed_ms=round((time.monotonic() - started) * 1000),
                failure=answer.failure,
                detail=answer.detail,
            )
            usable = opening.is_open and opening.failure is None and stream is not None
            yield opening, Socket(stream, early) if usable and stream else None
        finally:
            if stream is not None:
                with anyio.CancelScope(shield=True):
                    await anyio.aclose_forcefully(stream)


def _handshake_headers(origin: str, key: str, protocols: Sequence[str]) -> Headers:
    headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", ", ".join(protocols)),
    ]
    if origin:
        headers.append(("Origin", origin))
    return tuple(headers)


async def _shake(stream: ByteStream, path: str, sent: Headers, answer: Answer) -> bytes:
    state = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
    request = h11.Request(method="GET", target=path, headers=list(sent))
    data = (state.send(request) or b"") + (state.send(h11.EndOfMessage()) or b"")
    await stream.send(data)
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            try:
                state.receive_data(await stream.receive(_READ))
            except anyio.EndOfStream:
                state.receive_data(b"")
        elif isinstance(event, h11.InformationalResponse):
            if event.status_code == _SWITCHING:
                answer.status = _SWITCHING
                answer.headers = readable(event.headers)
                return bytes(state.trailing_data[0])
        elif isinstance(event, h11.Response):
            answer.status = event.status_code
            answer.headers = readable(event.headers)
        elif isinstance(event, h11.Data):
            answer.add(event.data)
            if answer.size > _BODY_LIMIT:
                return b""
        else:
            return b""


def _accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()  # noqa: S324


def _reason(exc: BaseException) -> str:
    return (str(exc) or type(exc).__name__)[:200]
