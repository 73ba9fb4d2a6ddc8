"""Serve the probe endpoints: a request echo, an echo socket, a sink for uploads, a slow drip.

Everything is bounded in size, time, rate and number (`limits`), and nothing that one client sent
is ever shown to another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import read_handshake
from stlaunch.gateway.places import client_key
from stlaunch.gateway.refusal import NO_STORE, deny_handshake, refusal
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.gateway.selfcheck.access import Viewer
from stlaunch.gateway.selfcheck.json_answer import PrintableJSONResponse
from stlaunch.gateway.selfcheck.masking import (
    PROBE_COOKIE,
    describe_handshake,
    describe_request,
    shown_headers,
)
from stlaunch.gateway.selfcheck.rate_limiter import OPERATOR, ProbeLimits
from stlaunch.gateway.state import GatewayState
from stlaunch.quick_dataclass import dataclass

SUBPROTOCOL = "stlaunch.probe"
_MAX_DRIPS = 20
_MAX_PAUSE_MS = 1000
_TRY_LATER, _TOO_BIG, _POLICY = 1013, 1009, 1008


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Answers the probe endpoints.

    Attributes:
        state: this process, the running probes, the tickets, and what arrived with each.
        max_upload_bytes: `server.maxUploadSize`.
    """

    state: GatewayState
    max_upload_bytes: Callable[[], int]

    @property
    def limits(self) -> ProbeLimits:
        """The bounds of the probes."""
        return self.state.rate_limiter.limits

    def takes_request(self, request: RequestInfo, viewer: Viewer) -> bool:
        """Count one request of any kind; return False if there were too many."""
        return self.state.rate_limiter.takes_request(_client(request, viewer))

    def answer(self, name: str, scope: Scope) -> Response:
        """Answer a plain GET of a probe endpoint."""
        match name:
            case "echo":
                return self.echo(scope)
            case "ticket":
                return self.ticket()
            case "arrived":
                return self.arrived(scope)
            case "ws":
                return self.stripped(scope)
            case _:
                return refusal(405, "STL503", "send a body with PUT or POST")

    def echo(self, scope: Scope) -> Response:
        """Answer with the request as it arrived; `?cookie=1` also sets a cookie to look for."""
        body = {
            "schema": "stlaunch.echo/1",
            "instance": self.state.instance.id,
            "server_time_ms": round(time.time() * 1000),
            "request": describe_request(scope, request_info(scope)),
        }
        response = PrintableJSONResponse(body, headers=NO_STORE)
        if QueryParams(scope["query_string"]).get("cookie") == "1":
            response.set_cookie(PROBE_COOKIE, "1", max_age=120, path="/", samesite="lax")
        return response

    def ticket(self) -> Response:
        """Answer with a ticket for probe sockets."""
        return PrintableJSONResponse({"ticket": self.state.tickets.issue()}, headers=NO_STORE)

    def arrived(self, scope: Scope) -> Response:
        """Answer with the handshake that a ticket and a number name, as it arrived."""
        key = self.state.tickets.read(scope["query_string"])
        record = self.state.received_probes.find(key) if key else None
        body = {
            "schema": "stlaunch.arrived/1",
            "instance": self.state.instance.id,
            "handshake": record,
        }
        return PrintableJSONResponse(body, headers=NO_STORE)

    def stripped(self, scope: Scope) -> Response:
        """Answer a plain request for the echo socket: its upgrade was lost, or never existed."""
        handshake = read_handshake({**scope, "headers": request_info(scope).headers})
        key = self.state.tickets.read(scope["query_string"])
        if key is not None:
            self.state.received_probes.keep(key, describe_handshake(scope, request_info(scope)))
        body = {
            "schema": "stlaunch.handshake/1",
            "verdict": handshake.verdict,
            "missing": handshake.missing,
        }
        return PrintableJSONResponse(body, 426, NO_STORE)

    async def sink(self, scope: Scope, receive: Receive, send: Send, viewer: Viewer) -> None:
        """Count the bytes of an upload and discard them."""
        client = _client(request_info(scope), viewer)
        with self.state.rate_limiter.admit(client) as is_admitted:
            if not is_admitted:
                await refusal(503, "STL603", "too many probes are running")(scope, receive, send)
                return
            try:
                async with asyncio.timeout(self.limits.upload_s):
                    answer = await self._swallow(Request(scope, receive), client)
            except TimeoutError:
                answer = refusal(408, "STL125", "the upload took too long")
            except ClientDisconnect:
                return
            await answer(scope, receive, send)

    async def _swallow(self, request: Request, client: str) -> Response:
        largest = self.max_upload_bytes() + 1_000_000
        count = 0
        async for chunk in request.stream():
            count += len(chunk)
            if count > largest:
                return refusal(413, "STL601", "more than server.maxUploadSize")
            if not self.state.rate_limiter.takes_bytes(client, len(chunk)):
                return refusal(429, "STL603", "too many bytes in this minute")
        headers = request.headers
        body = {
            "schema": "stlaunch.sink/1",
            "received": count,
            "is_chunked": "transfer-encoding" in headers,
            "instance": self.state.instance.id,
        }
        return PrintableJSONResponse(body, headers=NO_STORE)

    async def drip(self, scope: Scope, receive: Receive, send: Send, viewer: Viewer) -> None:
        """Send lines with pauses: if they arrive together, something holds them back."""
        query = QueryParams(scope["query_string"])
        count = min(_number(query, "chunks", 6), _MAX_DRIPS)
        pause_s = min(_number(query, "pause_ms", 200), _MAX_PAUSE_MS) / 1000
        with self.state.rate_limiter.admit(_client(request_info(scope), viewer)) as is_admitted:
            if not is_admitted:
                await refusal(503, "STL603", "too many probes are running")(scope, receive, send)
                return
            end_at = time.monotonic() + self.limits.drip_s

            async def lines() -> AsyncGenerator[str]:
                for number in range(count):
                    if number:
                        await asyncio.sleep(pause_s)
                    if time.monotonic() > end_at:
                        return
                    yield f"{number}\n"

            response = StreamingResponse(lines(), media_type="text/plain", headers=NO_STORE)
            await response(scope, receive, send)

    async def socket(self, scope: Scope, receive: Receive, send: Send, viewer: Viewer) -> None:
        """Report how the handshake arrived, then echo every message.

        A browser needs a ticket, so that no page of another site gets in. A program needs none: it
        sends the header X-Stlaunch, which no page can send on a WebSocket.
        """
        request = request_info(scope)
        client = _client(request, viewer)
        key = self.state.tickets.read(scope["query_string"])
        is_program = "x-stlaunch" in Headers(scope=scope) and viewer is not Viewer.NOBODY
        if key is not None:
            self.state.received_probes.keep(key, describe_handshake(scope, request_info(scope)))
        if key is None and not is_program:
            await deny_handshake(
                refusal(403, "STL503", "no valid ticket"), _TRY_LATER, scope, receive, send
            )
            return
        with self.state.rate_limiter.admit(client) as is_admitted:
            if not (is_admitted and self.state.rate_limiter.takes_request(client)):
                await deny_handshake(
                    refusal(503, "STL603", "too many probes"), _TRY_LATER, scope, receive, send
                )
                return
            offered = scope.get("subprotocols", [])
            protocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
            await receive()
            await send({"type": "websocket.accept", "subprotocol": protocol})
            await send({"type": "websocket.send", "text": self._hello(scope)})
            code = await self._echo(client, receive, send)
            if code:
                await send({"type": "websocket.close", "code": code})

    async def _echo(self, client: str, receive: Receive, send: Send) -> int:
        """Echo until the client leaves (0) or a limit is reached (the code to close with)."""
        moved = 0
        try:
            async with asyncio.timeout(self.limits.socket_s):
                while True:
                    message = await receive()
                    if message["type"] == "websocket.disconnect":
                        return 0
                    text, data = message.get("text"), message.get("bytes")
                    size = len(data) if data is not None else len(text or "")
                    moved += size
                    if size > self.limits.max_message_bytes:
                        return _TOO_BIG
                    if moved > self.limits.socket_bytes:
                        return _POLICY
                    if not self.state.rate_limiter.takes_bytes(client, 2 * size):
                        return _TRY_LATER
                    await send(_message(text, data))
        except TimeoutError:
            return 1000

    def _hello(self, scope: Scope) -> str:
        request = request_info(scope)
        body = {
            "schema": "stlaunch.hello/1",
            "instance": self.state.instance.id,
            "handshake": describe_handshake(scope, request),
            "headers": shown_headers(request.headers),
        }
        return bytes(PrintableJSONResponse(body).body).decode()


def _message(text: str | None, data: bytes | None) -> Message:
    if data is not None:
        return {"type": "websocket.send", "bytes": data}
    return {"type": "websocket.send", "text": text or ""}


def _client(request: RequestInfo, viewer: Viewer) -> str:
    if viewer is Viewer.OPERATOR:
        return OPERATOR
    return client_key(request.client or request.peer)


def _number(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else default  # noqa: PLR2004
