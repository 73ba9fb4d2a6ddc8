"""How our own endpoints refuse a request: a status, a permanent code and a reason, as JSON."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
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


def refusal(status: int, code: str, reason: str, *, retry_s: int = RETRY_S) -> Response:
    """Return a refusal that is never cached.

    Args:
        status: the HTTP status; 429 and 503 tell when to try again.
        code: as the catalogue has it, `STL503`.
        reason: for a reader of the network panel; it must hold nothing secret.
        retry_s: after how many seconds, where the status says that this is of use.
    """
    headers = {**NO_STORE, "retry-after": str(retry_s)} if status in _BUSY else NO_STORE
    body = {"schema": "stlaunch.refusal/1", "code": code, "reason": reason}
    return JSONResponse(body, status, headers)


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
