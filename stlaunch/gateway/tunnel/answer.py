"""The HTTP answer that carries frames, whole or in bounded parts.

Frames that the client does not read stay in the outbox; only a part or two are in the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from starlette.types import Send

from stlaunch.gateway.refusal import NO_STORE
from stlaunch.gateway.tunnel.compression import StreamEncoder, compress
from stlaunch.gateway.tunnel.frames import HEADER_BYTES, Frame, encode_parts

_MIN_COMPRESSED = 1024
_MAX_WHOLE_BYTES = 256 * 1024
_FINISH_S = 1.0


class Answer:
    """One answer, which starts with the first bytes written.

    Args:
        send: ASGI's.
        is_compressed: whether the client accepts gzip.
    """

    def __init__(self, send: Send, *, is_compressed: bool) -> None:
        self._send = send
        self._is_compressed = is_compressed
        self._encoder: StreamEncoder | None = None
        self._is_finished = False

    async def send_whole(self, frames: Sequence[Frame]) -> None:
        """Send these frames and finish; a small answer has a `Content-Length`."""
        if sum(len(frame.payload) + HEADER_BYTES for frame in frames) > _MAX_WHOLE_BYTES:
            for part in encode_parts(frames):
                await self.write(part)
            await self.finish()
            return
        body = b"".join(frame.encode() for frame in frames)
        headers = {}
        if self._is_compressed and len(body) >= _MIN_COMPRESSED:
            body = await compress(body)
            headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(body))
        await self._start(headers)
        self._is_finished = True
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def write(self, part: bytes) -> None:
        """Send some bytes; waits while the client does not read."""
        if self._encoder is None:
            await self._start({"content-encoding": "gzip"} if self._is_compressed else {})
            self._encoder = StreamEncoder(is_compressed=self._is_compressed)
        body = await self._encoder.encode(part)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def finish(self) -> None:
        """End the answer unless it has ended; give up on one that nobody reads."""
        if self._is_finished:
            return
        self._is_finished = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_S):
                if self._encoder is None:
                    await self._start({"content-length": "0"})
                rest = self._encoder.finish() if self._encoder else b""
                await self._send({"type": "http.response.body", "body": rest, "more_body": False})

    async def _start(self, more: dict[str, str]) -> None:
        headers = {"content-type": "application/octet-stream", **NO_STORE, **more}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": encoded})
