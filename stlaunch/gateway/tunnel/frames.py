"""Numbered frames over an unreliable carrier: none lost, none delivered twice. Pure.

A message is one or more frames; each has the next number of its direction. A frame is

    4 bytes number | 1 byte flags | 4 bytes length | payload        (network byte order)

The sender keeps a frame until the other side has acknowledged its number, and sends it again
with every answer until then. The receiver takes only the next number, and drops duplicates.
`tunnel.js` is the other end; a test runs the two against each other.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import IntFlag

from stlaunch.quick_dataclass import dataclass

_HEADER = struct.Struct("!IBI")
HEADER_BYTES = _HEADER.size
FRAGMENT_BYTES = 64 * 1024
MAX_FRAME_BYTES = 1024 * 1024
"""The largest payload accepted; a half-sent frame takes no more memory than that."""


class Flags(IntFlag):
    """What a frame is."""

    MORE = 0
    FINAL = 1
    """The last frame of its message."""
    TEXT = 2
    """The message is text in UTF-8."""
    CLOSE = 4
    """No message: the socket was closed; the payload is a 2-byte code and the reason."""
    HELLO = 8
    """No message and no number: the carrier works."""


class FrameError(ValueError):
    """The bytes are not frames, or a message is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One numbered piece of a message."""

    number: int
    flags: Flags
    payload: bytes

    def encode(self) -> bytes:
        """Return the frame as bytes."""
        return _HEADER.pack(self.number, self.flags, len(self.payload)) + self.payload


HELLO = Frame(0, Flags.HELLO, b"").encode()


@dataclass(slots=True)
class FrameReader:
    """Reads frames from bytes that arrive in arbitrary chunks; keeps incomplete ones for later."""

    _rest: bytearray = field(default_factory=bytearray)

    def read(self, chunk: bytes) -> Iterator[Frame]:
        """Return the frames that `chunk` completes, decoded one at a time.

        Raises:
            FrameError: for a frame that is too large.
        """
        self._rest += chunk
        position = 0
        try:
            while len(self._rest) - position >= HEADER_BYTES:
                number, flags, length = _HEADER.unpack_from(self._rest, position)
                if length > MAX_FRAME_BYTES:
                    raise FrameError(f"a frame is larger than {MAX_FRAME_BYTES} bytes")
                end = position + HEADER_BYTES + length
                if end > len(self._rest):
                    return
                payload = bytes(self._rest[position + HEADER_BYTES : end])
                position = end
                yield Frame(number, Flags(flags & 0x0F), payload)
        finally:
            del self._rest[:position]

    def end(self) -> None:
        """Note that no more bytes will arrive.

        Raises:
            FrameError: for bytes that do not end with a whole frame.
        """
        if self._rest:
            raise FrameError("the last frame is not whole")


def decode_frames(data: bytes) -> Iterator[Frame]:
    """Read all frames of a whole body.

    Raises:
        FrameError: for bytes that do not end with a whole frame.
    """
    reader = FrameReader()
    yield from reader.read(data)
    reader.end()


def encode_parts(frames: Iterable[Frame]) -> Iterator[bytes]:
    """Return frames as bytes, in parts of at most a fragment or a frame, whichever is larger."""
    part = bytearray()
    for frame in frames:
        if part and len(part) + len(frame.payload) > FRAGMENT_BYTES:
            yield bytes(part)
            part.clear()
        part += frame.encode()
    if part:
        yield bytes(part)


@dataclass(frozen=True, slots=True)
class Received:
    """One whole message, or the end."""

    payload: bytes
    flags: Flags


@dataclass(slots=True)
class Outbox:
    """The frames that are sent and not yet acknowledged."""

    frames: deque[Frame] = field(default_factory=deque)
    unacknowledged_bytes: int = 0
    last_number: int = 0

    def put(self, payload: bytes, flags: Flags) -> None:
        """Number a message and keep it."""
        pieces = range(0, max(len(payload), 1), FRAGMENT_BYTES)
        for start in pieces:
            is_last = start + FRAGMENT_BYTES >= len(payload)
            piece = payload[start : start + FRAGMENT_BYTES]
            self.last_number += 1
            mark = flags | Flags.FINAL if is_last else flags
            self.frames.append(Frame(self.last_number, mark, piece))
            self.unacknowledged_bytes += len(piece)

    def acknowledge(self, number: int) -> bool:
        """Drop the frames that the other side has; return True if that made room.

        A number that was never sent is ignored: the other side cannot have it.
        """
        if number > self.last_number:
            return False
        made_room = False
        while self.frames and self.frames[0].number <= number:
            self.unacknowledged_bytes -= len(self.frames.popleft().payload)
            made_room = True
        return made_room

    def after(self, number: int, *, max_bytes: int | None = None) -> list[Frame]:
        """Return the frames after `number`: all, or those within `max_bytes` but at least one."""
        found: list[Frame] = []
        size = 0
        for frame in self.frames:
            if frame.number <= number:
                continue
            size += len(frame.payload) + HEADER_BYTES
            if found and max_bytes is not None and size > max_bytes:
                break
            found.append(frame)
        return found


@dataclass(slots=True)
class Inbox:
    """Reassembles messages, each exactly once.

    Attributes:
        max_bytes: the largest message accepted.
        acknowledged: the number of the last frame taken.
        is_discarding: frames are taken and not kept.
    """

    max_bytes: int
    acknowledged: int = 0
    is_discarding: bool = False
    _partial: bytearray = field(default_factory=bytearray)

    @property
    def unfinished_bytes(self) -> int:
        """How much of a message is here whose end is not."""
        return len(self._partial)

    def discard(self) -> None:
        """Keep nothing from now on, because nobody will read it."""
        self.is_discarding = True
        self._partial.clear()

    def take(self, frames: Iterable[Frame]) -> list[Received]:
        """Return the messages that these frames complete.

        Frames that are already here are dropped; after a gap nothing is taken.

        Raises:
            FrameError: for a message that is too large.
        """
        messages = []
        for frame in frames:
            if frame.number != self.acknowledged + 1:
                continue
            if self.is_discarding:
                self.acknowledged += 1
                continue
            if len(self._partial) + len(frame.payload) > self.max_bytes:
                raise FrameError(f"a message is larger than {self.max_bytes} bytes")
            self.acknowledged += 1
            self._partial += frame.payload
            if frame.flags & Flags.FINAL:
                messages.append(Received(bytes(self._partial), frame.flags))
                self._partial.clear()
        return messages
