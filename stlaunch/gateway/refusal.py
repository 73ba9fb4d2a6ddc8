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
"""The headers of every answer that is for one page alone."""
RETRY_S = 5
_BUSY = frozenset({429, 503})
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


def refusal(status: int, code: str, reason: str, *, retry_s: int = RETRY_S) -> Response:
    """Return a refusal that is never cached.

    Args:
        status: the HTTP status; 429 and 503 include when to retry.
        code: as in the catalogue, such as `STL503`.
        reason: for a reader of the network panel; must contain no secrets.
        retry_s: after how many seconds to retry, for these two statuses.
    """
    headers = {**NO_STORE, "retry-after": str(retry_s)} if status in _BUSY else NO_STORE
    body = {"schema": "stlaunch.refusal/1", "code": code, "reason": reason}
    return JSONResponse(body, status, headers)


def refuse_other_pages(headers: Headers) -> Response | None:
    """Refuse a request that no page of the app made; return None for its own.

    Forms, images and scripts of other sites cannot send the header without a preflight, and no
    preflight is ever answered below `_stlaunch`.
    """
    is_same_origin = headers.get("sec-fetch-site") in {None, "same-origin"}
    if "x-stlaunch" in headers and is_same_origin:
        return None
    return refusal(403, "STL503", "not from the app's own page: send X-Stlaunch: 1")


def refuse_other_methods(scope: Scope) -> Response | None:
    """Refuse a request that is neither GET nor HEAD; return None for one that is."""
    if scope["method"] in {"GET", "HEAD"}:
        return None
    return PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD", **NO_STORE})


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for something that is not served; an ASGI app."""
    if scope["type"] == "http":
        await PlainTextResponse("Not Found", 404, NO_STORE)(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


async def deny_handshake(
    response: Response, close_code: int, scope: Scope, receive: Receive, send: Send
) -> None:
    """Refuse a WebSocket with `response`, or with a close code if the server cannot send that.

    Call it before receiving the scope's first message.
    """
    if "websocket.http.response" in scope.get("extensions", {}):
        await response(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.close", "code": close_code})
