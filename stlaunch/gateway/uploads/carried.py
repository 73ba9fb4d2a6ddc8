"""Pass an upload that arrives in parts on to the app as one request, at the app's own pace.

It does not know how the parts arrive: by requests (`pieces.py`), or over a socket (`socket.py`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

from stlaunch.gateway.places import Visitor
from stlaunch.gateway.refusal import refusal
from stlaunch.gateway.request import for_streamlit_path
from stlaunch.gateway.turn import Turn
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.streamlit_routes import UPLOAD, RequestKind

logger = logging.getLogger(__name__)

FULL = refusal(503, "STL603", "too many uploads are in progress")
"""The answer to an upload for which there is no place."""
_MAX_ANSWER = 64 * 1024
_REFUSED = 400
_TARGET = re.compile(r"[A-Za-z0-9_-]{1,128}/[A-Za-z0-9_-]{1,128}")
_SIZE = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
# Headers of the request that carries the upload, not of the upload itself.
_CARRIERS_OWN = (
    *(b"content-", b"transfer-encoding", b"x-stlaunch", b"expect"),
    *(b"sec-websocket-", b"upgrade", b"connection"),
)


def is_target(text: str) -> bool:
    """Return whether a text names a session and a file, and nothing else."""
    return _TARGET.fullmatch(text) is not None


def is_size(text: str) -> bool:
    """Return whether a text is the size of a file in bytes."""
    return _SIZE.fullmatch(text) is not None


@dataclass(slots=True, kw_only=True)
class CarriedUpload:
    """One upload on its way to the app.

    Attributes:
        owner: what all its requests must share.
        visitor: who uploads, and so holds a place.
        total_bytes: the size of the whole body.
        turn: the turn of the requests that bring a piece.
        seen_at: when the page was last heard from.
    """

    owner: str
    visitor: Visitor
    total_bytes: int
    accepted_bytes: int = 0
    """Taken from the page."""
    handed_on_bytes: int = 0
    """Read by the app."""
    chunks: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(maxsize=1))
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    """The app has read what was passed on."""
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    seen_at: float = field(default_factory=time.monotonic)
    turn: Turn = field(default_factory=Turn)
    task: asyncio.Task[None] = field(init=False)
    """The request to the app; done when the app has answered."""

    @property
    def is_complete(self) -> bool:
        """Whether the page has sent everything."""
        return self.accepted_bytes >= self.total_bytes

    @property
    def is_accepted(self) -> bool:
        """Whether the app has answered and accepted it."""
        return 0 < self.status < _REFUSED

    def start(self, app: ASGIApp, scope: Scope) -> None:
        """Start the request to the app."""
        if not self.total_bytes:
            self.chunks.put_nowait(b"")
        self.task = asyncio.create_task(self._run(app, scope), name="upload in pieces")

    async def hand_on(self, chunk: bytes, *, at: int) -> bool:
        """Wait until the app takes more, and pass on the chunk that begins at byte `at`.

        Return False if nobody will read it, because the app has answered, or if it is not the next
        one: a request that was just replaced by its retry may still bring a chunk.
        """
        while self.chunks.full() and not self.task.done():
            is_read = asyncio.create_task(self.is_read.wait(), name="upload waits for the app")
            try:
                await asyncio.wait({is_read, self.task}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                is_read.cancel()
        if self.task.done() or at != self.accepted_bytes:
            return False
        self.chunks.put_nowait(chunk)
        self.is_read.clear()
        self.accepted_bytes += len(chunk)
        return True

    def answer(self) -> dict[str, Any]:
        """Return the app's answer to the whole upload, for the page."""
        headers = Headers(raw=self.headers)
        return {
            "expected": self.accepted_bytes,
            "status": self.status,
            "type": headers.get("content-type", ""),
            "body": self.body.decode("utf-8", "replace"),
        }

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception:  # whatever the app raises, its page must learn that it ended
            logger.exception("The app failed on an upload")
        finally:
            self.status = self.status or 500

    async def _receive(self) -> Message:
        chunk = await self.chunks.get()
        self.is_read.set()
        self.handed_on_bytes += len(chunk)
        return {
            "type": "http.request",
            "body": chunk,
            "more_body": self.handed_on_bytes < self.total_bytes,
        }

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body += message.get("body", b"")[: _MAX_ANSWER - len(self.body)]


def upload_scope(
    scope: Scope,
    target: str,
    *,
    method: str,
    total_bytes: int,
    content_type: str,
    is_kept: Callable[[bytes], bool] = lambda _name: True,
) -> Scope:
    """Return the request to Streamlit's upload address that a request or a handshake carries.

    Args:
        scope: of the carrier.
        target: session and file.
        method: PUT or DELETE.
        total_bytes: of the whole body.
        content_type: of the whole body.
        is_kept: says, by name, which of the carrier's headers the upload gets too.
    """
    kept = [
        item
        for item in scope["headers"]
        if not item[0].startswith(_CARRIERS_OWN) and is_kept(item[0])
    ]
    kept.append((b"content-length", str(total_bytes).encode()))
    kept.append((b"content-type", content_type.encode("latin-1", "replace")))
    put = for_streamlit_path(scope, UPLOAD + target, RequestKind.UPLOAD)
    put.pop("subprotocols", None)
    scheme = "https" if put["scheme"] in {"https", "wss"} else "http"
    return {**put, "type": "http", "scheme": scheme, "method": method, "headers": kept}
