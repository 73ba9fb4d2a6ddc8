"""Accept an upload over a WebSocket of its own, for paths on which no upload request arrives whole.

The handshake is one for the app's stream, with the subprotocol `stlaunch-upload`: whatever lets the
app's own connection through lets this one through, including the HTTP transport.

    page  {"method": "PUT", "target": "SESSION/FILE", "size": "1000", "type": "multipart/..."}
    app   {"expected": 0}       how much it has taken; the page sends a window ahead of that
    page  bytes, bytes, ...
    app   {"expected": 1000, "status": 204, "type": "", "body": ""}

A page first has to pass the same-origin rule in its strictest form: no page of another site does,
whatever the user allows for the stream. Streamlit's XSRF check tests just that, so Streamlit gets a
valid pair: a proxy may have removed the page's own. There is no ticket that could be stolen or read
in a log: the permission ends with the socket, after one file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import read_cookies, with_cookies
from stlaunch.gateway.asking import ask
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import uploads_over_socket
from stlaunch.gateway.owner import owner_of, visitor_of
from stlaunch.gateway.places import Places
from stlaunch.gateway.refusal import deny_handshake
from stlaunch.gateway.request import (
    UPLOAD_PROTOCOL,
    for_streamlit_path,
    is_for_upload,
    request_info,
)
from stlaunch.gateway.uploads.carried import FULL, CarriedUpload, is_size, is_target, upload_scope
from stlaunch.urls.streamlit_routes import HEALTH, STREAM, RequestKind

_XSRF_COOKIE = "_streamlit_xsrf"
_XSRF_HEADER = b"x-xsrftoken"
_MAX_PART = 1024 * 1024
_MAX_TYPE = 512
_FIRST_S = 10.0
_IDLE_S = 60.0
_BAD = 1008  # RFC 6455 section 7.4.1
_TRY_AGAIN_LATER = 1013


class UploadSocketLayer:
    """Send handshakes for an upload to its endpoint, and pass all others on.

    Args:
        app: takes the others.
        guarded: the endpoint, below the same-origin rule.
    """

    def __init__(self, app: ASGIApp, *, guarded: ASGIApp) -> None:
        self.app = app
        self.guarded = guarded

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one handshake."""
        if not is_for_upload(scope["headers"]):
            return self.app(scope, receive, send)
        # Like the opening of a tunnel: only one of the app's own pages has a reason for it, and it
        # does not count as a connection of the app.
        carried = for_streamlit_path(scope, STREAM, RequestKind.STREAM, is_tunnel=True)
        return self.guarded(carried, receive, send)


class UploadSocketEndpoint:
    """Take one file, or one deletion, from a page that passed the same-origin rule.

    Args:
        below: the chains to the app.
        places: bounds how many uploads there are.
        finding_log: takes the finding that uploads need this way.
        idle_s: how long it waits for the page.
    """

    def __init__(
        self,
        *,
        below: Mapping[tuple[str, RequestKind | None], ASGIApp],
        places: Places,
        finding_log: FindingLog,
        idle_s: float = _IDLE_S,
    ) -> None:
        self.uploads = below["http", RequestKind.UPLOAD]
        # Not the chain of health checks, which itself answers while the server stops.
        self.health = below["http", RequestKind.STREAMLIT]
        self.places = places
        self.finding_log = finding_log
        self.idle_s = idle_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one handshake, and the upload that follows it."""
        owner = owner_of(scope)
        visitor = visitor_of(request_info(scope), owner)
        if not self.places.has_room(visitor):
            await deny_handshake(FULL, _TRY_AGAIN_LATER, scope, receive, send)
            return
        self.places.take(visitor)
        try:
            await receive()
            await send({"type": "websocket.accept", "subprotocol": UPLOAD_PROTOCOL})
            async with asyncio.timeout(min(_FIRST_S, self.idle_s)):
                announced = _read(await receive())
            if announced is None:
                await send({"type": "websocket.close", "code": _BAD})
                return
            size = int(announced["size"]) if announced["method"] == "PUT" else 0
            upload = CarriedUpload(owner=owner, visitor=visitor, total_bytes=size)
            upload.start(self.uploads, await self._scope(scope, announced, upload))
            try:
                await self._carry(upload, receive, send)
            finally:
                upload.task.cancel()
        except TimeoutError:
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})
        finally:
            self.places.free(visitor)

    async def _carry(self, upload: CarriedUpload, receive: Receive, send: Send) -> None:
        """Pass the parts on as they arrive, until the app has answered or the page is gone."""
        while True:
            await send(_message({"expected": upload.accepted_bytes}))
            part = asyncio.ensure_future(receive())
            try:
                async with asyncio.timeout(self.idle_s):
                    await asyncio.wait({part, upload.task}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not part.done():
                    part.cancel()
            if upload.task.done():
                await send(_message(upload.answer()))
                await send({"type": "websocket.close", "code": 1000})
                if upload.is_accepted:
                    self.finding_log.post(uploads_over_socket())
                return
            message = part.result()
            if message["type"] != "websocket.receive":
                return
            data = message.get("bytes") or b""
            if not data or len(data) > min(_MAX_PART, upload.total_bytes - upload.accepted_bytes):
                await send({"type": "websocket.close", "code": _BAD})
                return
            await upload.hand_on(data, at=upload.accepted_bytes)

    async def _scope(
        self, scope: Scope, announced: Mapping[str, str], upload: CarriedUpload
    ) -> Scope:
        put = upload_scope(
            scope,
            announced["target"],
            method=announced["method"],
            total_bytes=upload.total_bytes,
            content_type=announced["type"],
            is_kept=lambda name: name != _XSRF_HEADER,
        )
        asked = await ask(self.health, scope, HEALTH, RequestKind.STREAMLIT, without={b"cookie"})
        pair = next(
            (
                value.partition(b";")[0].partition(b"=")[2]
                for name, value in asked.headers
                if name.lower() == b"set-cookie" and value.startswith(_XSRF_COOKIE.encode() + b"=")
            ),
            None,
        )
        if pair is not None:  # otherwise the user switched the check off
            cookies = [item for item in read_cookies(put["headers"]) if item[0] != _XSRF_COOKIE]
            cookies.append((_XSRF_COOKIE, pair.decode("latin-1")))
            put["headers"] = [*with_cookies(put["headers"], cookies), (_XSRF_HEADER, pair)]
        return put


def _read(message: Message) -> dict[str, str] | None:
    """Return the page's request; None for anything but a PUT or a DELETE of a file."""
    text = message.get("text") or ""
    if message["type"] != "websocket.receive" or len(text) > 4 * _MAX_TYPE:
        return None
    try:
        announced: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(announced, dict):
        return None
    wanted = {name: announced.get(name) for name in ("method", "target", "size", "type")}
    found = {name: value for name, value in wanted.items() if isinstance(value, str)}
    if len(found) < len(wanted) or not is_target(found["target"]):
        return None
    is_put = found["method"] == "PUT" and is_size(found["size"])
    is_plain = found["type"].isascii() and found["type"].isprintable()
    return found if (is_put or found["method"] == "DELETE") and is_plain else None


def _message(reply: Mapping[str, Any]) -> Message:
    return {"type": "websocket.send", "text": json.dumps(reply)}
