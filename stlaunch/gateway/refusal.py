"""Refuse a request with a status, a permanent code and a reason."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

NO_STORE = {
    "cache-control": "no-store, no-transform",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "x-accel-buffering": "no",
}
"""Of every answer that is for one page alone."""
RETRY_S = 5
_BUSY = frozenset({429, 503})
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


def refusal(status: int, code: str, reason: str, *, retry_s: int = RETRY_S) -> Response:
    """Return a refusal that is never cached.

    Args:
        status: the HTTP status; 429 and 503 say when to try again.
        code: as the catalogue has it, `STL503`.
        reason: for a reader of the network panel; it must hold nothing secret.
        retry_s: after how many seconds, where the status says that this is of use.
    """
    headers = {**NO_STORE, "retry-after": str(retry_s)} if status in _BUSY else NO_STORE
    body = {"schema": "stlaunch.refusal/1", "code": code, "reason": reason}
    return JSONResponse(body, status, headers)


def refuse_other_pages(headers: Headers) -> Response | None:
    """Refuse a request that no page of the app made; None for one of its own.

    Forms, images and scripts of other sites cannot send the header without a preflight, and no
    preflight is ever answered below `_stlaunch`.
    """
    is_same_origin = headers.get("sec-fetch-site") in {None, "same-origin"}
    if "x-stlaunch" in headers and is_same_origin:
        return None
    return refusal(403, "STL503", "not from the app's own page: send X-Stlaunch: 1")


def refuse_other_methods(scope: Scope) -> Response | None:
    """Refuse a request that is no GET or HEAD; None for one that is."""
    if scope["method"] in {"GET", "HEAD"}:
        return None
    return PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD", **NO_STORE})


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for something that is not served: an ASGI app."""
    if scope["type"] == "http":
        await PlainTextResponse("Not Found", 404, NO_STORE)(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


async def deny_handshake(
    response: Response, close_code: int, scope: Scope, receive: Receive, send: Send
) -> None:
    """Refuse a WebSocket with `response`, or a close code where the server cannot send one.

    Call it before the scope's first message was received.
    """
    if "websocket.http.response" in scope.get("extensions", {}):
        await response(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.close", "code": close_code})
