"""Give each request an id, and log it on demand; never bodies, queries or cookies."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.request import request_info
from stlaunch.log import RequestContext, current_request
from stlaunch.urls.streamlit_routes import SECRET_PATHS

logger = logging.getLogger("stlaunch.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_MAX_PATH = 512
_MAX_METHOD = 32

PageOf = Callable[[bytes], str | None]


class RequestLogMiddleware:
    """Put the request's id into every log line, the response and the app's headers.

    A well-formed id that arrives is kept. With an access log a missing one is generated, and each
    request gets a log line; a WebSocket gets one when it opens and one when it ends.

    Args:
        app: the next layer.
        is_access_logged: `--access-log`.
    """

    def __init__(self, app: ASGIApp, *, is_access_logged: bool) -> None:
        self.app = app
        self.is_access_logged = is_access_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request = self._context(scope)
        token = current_request.set(request)
        try:
            if request.request_id:
                scope = _with_id(scope, request.request_id)
            if self.is_access_logged:
                await self._logged(scope, receive, send, request)
            elif request.request_id and scope["type"] == "http":
                await self.app(scope, receive, _answering(send, request.request_id))
            else:
                await self.app(scope, receive, send)
        finally:
            current_request.reset(token)

    def _context(self, scope: Scope) -> RequestContext:
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(8) if self.is_access_logged else ""
        trace = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        return RequestContext(request_id=request_id, trace_id=trace[1] if trace else "")

    async def _logged(
        self, scope: Scope, receive: Receive, send: Send, request: RequestContext
    ) -> None:
        began = time.monotonic()
        status = sent_bytes = 0
        answer = _answering(send, request.request_id) if scope["type"] == "http" else send

        async def observe(message: Message) -> None:
            nonlocal status, sent_bytes
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    status = message["status"]
                case "http.response.body":
                    sent_bytes += len(message.get("body", b""))
                case "websocket.accept":
                    status = 101
                    _log(scope, "opened", status=101)
                case "websocket.close" if not status:
                    status = 403
            await answer(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            took_ms = round((time.monotonic() - began) * 1000)
            what = "closed" if scope["type"] == "websocket" and status == 101 else str(status)  # noqa: PLR2004
            _log(scope, what, status=status, bytes=sent_bytes, duration_ms=took_ms)


class PageChangeLogMiddleware:
    """Log which page a session shows: one socket, and so one request, serves them all.

    Wraps `receive` of the app's socket, so it exists only with `--access-log`.

    Args:
        app: the next layer.
        page_of: returns the page whose run a message starts; None for other messages.
    """

    def __init__(self, app: ASGIApp, *, page_of: PageOf) -> None:
        self.app = app
        self.page_of = page_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one handshake."""
        base = request_info(scope).base
        shown: str | None = None

        async def observe() -> Message:
            nonlocal shown
            message = await receive()
            data = message.get("bytes")
            page = self.page_of(data) if data else None
            if page is not None and page != shown:
                shown = page
                _log({**scope, "path": (base.value if base else "") + page}, "shown", method="PAGE")
            return message

        await self.app(scope, observe, send)


def _with_id(scope: Scope, request_id: str) -> Scope:
    headers = [item for item in scope["headers"] if item[0] != b"x-request-id"]
    return {**scope, "headers": [*headers, (b"x-request-id", request_id.encode())]}


def _answering(send: Send, request_id: str) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [item for item in message.get("headers", ()) if item[0] != b"x-request-id"]
            message = {**message, "headers": [*kept, (b"x-request-id", request_id.encode())]}
        await send(message)

    return answer


def _log(scope: Scope, what: str, *, method: str = "", **facts: Any) -> None:
    method = method or scope.get("method", "WEBSOCKET")[:_MAX_METHOD]
    client = scope["client"][0] if scope.get("client") else "-"
    path = _masked(scope["path"])
    took = f" in {facts['duration_ms']} ms" if "duration_ms" in facts else ""
    request = current_request.get()
    facts |= {"method": method, "path": path, "client": client}
    logger.info(
        "%s %s %s %s%s %s",
        client,
        method,
        path,
        what,
        took,
        request.request_id if request else "",
        extra={f"stlaunch_{name}": value for name, value in facts.items()},
    )


def _masked(path: str) -> str:
    shown = path if path.isprintable() else repr(path)[1:-1]
    for front_of_secret in SECRET_PATHS:
        front, found, _ = shown.partition(front_of_secret)
        if found:
            return front + found + "***"
    return shown[:_MAX_PATH]
