"""Run the script once over stlaunch's HTTP requests, as its page does without a WebSocket.

The other ends are `stlaunch.gateway.tunnel` and tunnel.js. It evaluates nothing, and the app does
not count it as a page that fell back: each request is marked as a check's.
"""

from __future__ import annotations

import json
import re
import struct
from collections import deque

import anyio

from stlaunch.check import pages
from stlaunch.check.client import CHECK, Client
from stlaunch.check.observations import Exchange, Session
from stlaunch.check.options import Headers
from stlaunch.check.probes.stream import Browser
from stlaunch.check.streamlit_session import run_script
from stlaunch.urls.streamlit_routes import TUNNELS

_ID = re.compile(r"[\w-]{1,100}(?:\.[\w-]{1,100})?", re.ASCII)  # a segment of a path, no `..`
_FRAME = struct.Struct("!IBI")  # number, flags, length of the payload
_FINAL, _TEXT, _CLOSE, _HELLO = 1, 2, 4, 8
_BODY_LIMIT = 64 * 1024 * 1024
_BINARY: Headers = (CHECK, ("Content-Type", "application/octet-stream"))
_SAME_ELSEWHERE = {401, 413, 429, 500, 502, 504}
"""These say nothing about the path: another one would have the same login, limit or trouble."""


async def run_session(client: Client, browser: Browser) -> tuple[Exchange, Session | None]:
    """Open a tunnel and run the script; return the last answer that mattered, and the session.

    It tries the paths that the page tries, as endpoints.js does.
    """
    target = client.dialer.target
    offered = ", ".join(browser.protocols())
    tried: list[Exchange] = []
    for path in map(target.path, TUNNELS):
        opened = await client.send(
            "POST",
            path,
            extra=(CHECK, ("X-Stlaunch-Protocols", offered), ("Origin", str(target.origin))),
        )
        if tunnel_id := _tunnel_id(opened):
            socket = TunnelSocket(client, f"{path}/{tunnel_id}")
            session = await run_script(socket, timeout_s=client.dialer.timeout_s)
            await socket.close()
            return socket.failed or opened, session
        if pages.refused_by_stlaunch(opened):
            return opened, None
        tried.append(opened)
        if opened.status in _SAME_ELSEWHERE:
            break
    return tried[0], None


def _tunnel_id(opened: Exchange) -> str:
    try:
        answer = json.loads(opened.text) if opened.is_ok else None
    except (ValueError, RecursionError):
        return ""
    found = answer.get("id") if isinstance(answer, dict) else None
    return found if isinstance(found, str) and _ID.fullmatch(found) else ""


class TunnelSocket:
    """Like `stlaunch.check.websocket.Socket`, but over requests.

    Attributes:
        close_code: of the app's close frame; None without one.
        close_reason: of that frame.
        damage: what was wrong with a frame; empty while all were valid.
        failed: the answer that ended it early.
    """

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path
        self._sent = 0
        self._received = 0
        self._messages: deque[bytes] = deque()
        self._partial = bytearray()
        self.close_code: int | None = None
        self.close_reason = ""
        self.damage = ""
        self.failed: Exchange | None = None

    async def send(self, data: bytes) -> None:
        """Send a message as one frame."""
        self._sent += 1
        frame = _FRAME.pack(self._sent, _FINAL, len(data)) + data
        answer = await self._client.send("POST", self._address(), extra=_BINARY, body=frame)
        if not answer.is_ok:
            self.failed = answer

    async def receive(self) -> bytes | None:
        """Return the next message; None once the tunnel is closed."""
        while not self._messages:
            if self.close_code is not None or self.damage or self.failed is not None:
                return None
            body = bytearray()
            answer = await self._client.send(
                "GET", self._address(), extra=(CHECK,), limit=_BODY_LIMIT, into=body
            )
            if answer.is_ok:
                self._take(bytes(body))
            else:
                self.failed = answer
        return self._messages.popleft()

    async def close(self) -> None:
        """Close the tunnel, so that the app keeps nothing."""
        with anyio.CancelScope(shield=True):
            await self._client.send("POST", f"{self._path}?mode=end", extra=(CHECK,), timeout_s=1.0)

    def _address(self) -> str:
        return f"{self._path}?ack={self._received}"

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self.damage:
            if len(data) - at < _FRAME.size:
                self.damage = "an answer of the tunnel ends within a frame"
                return
            number, flags, length = _FRAME.unpack_from(data, at)
            payload = data[at + _FRAME.size : at + _FRAME.size + length]
            at += _FRAME.size + length
            if len(payload) < length:
                self.damage = "an answer of the tunnel ends within a frame"
            elif not flags & _HELLO and number == self._received + 1:
                self._received = number
                self._add(flags, payload)

    def _add(self, flags: int, payload: bytes) -> None:
        if flags & _CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big")
            self.close_reason = payload[2:200].decode("utf-8", "replace")
            return
        self._partial += payload
        if len(self._partial) > _BODY_LIMIT:
            self.damage = f"a message of more than {_BODY_LIMIT} bytes"
        elif flags & _FINAL:
            self._messages.append(bytes(self._partial))
            self._partial.clear()
