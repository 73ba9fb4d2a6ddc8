"""Answer the tunnel's HTTP requests, and open a `websocket` scope into the layers below.

    POST {base}/_stlaunch/tunnel              open; subprotocols in X-Stlaunch-Protocols
    GET  {base}/_stlaunch/tunnel/ID?ack=N     receive what follows frame N (long poll, or stream);
                                              cut=S where quiet ones were cut after S seconds
    POST {base}/_stlaunch/tunnel/ID?ack=N     send frames
    POST {base}/_stlaunch/tunnel/ID?mode=end  close

Proxies often refuse every other method.

The layers below apply the same-origin rule, cookies, identity and session resumption, with the
same code as for a WebSocket. Every request carries `X-Stlaunch`, so that no form, image or script
of another site can make it, and must come from the browser that opened the tunnel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.diagnostics.finding import Finding
from stlaunch.gateway.app_site import LOSE_UPGRADES
from stlaunch.gateway.assets import choose_coding
from stlaunch.gateway.monitor.findings import fell_back
from stlaunch.gateway.monitor.quiet_limits import ping_below, quiet_request_cut
from stlaunch.gateway.owner import owner_of, visitor_of
from stlaunch.gateway.places import client_key
from stlaunch.gateway.refusal import NO_STORE, refusal, refuse_other_pages
from stlaunch.gateway.request import (
    UPLOAD_PROTOCOL,
    RequestInfo,
    for_streamlit_path,
    request_info,
)
from stlaunch.gateway.state import GatewayState
from stlaunch.gateway.tunnel.answer import Answer
from stlaunch.gateway.tunnel.frames import HELLO, FrameError, FrameReader, encode_parts
from stlaunch.gateway.tunnel.tunnel import Tunnel, new_tunnel_id
from stlaunch.proxies.needs import Need
from stlaunch.proxies.recognition import names_in_request
from stlaunch.urls.streamlit_routes import STREAM, RequestKind

# The page sends less than this at once (BATCH_BYTES and BATCH_FRAMES in tunnel.js).
_MAX_BODY = 4 * 1024 * 1024
_MAX_FRAMES = 256
_TOO_LARGE = refusal(413, "STL601", f"a request carries at most {_MAX_BODY} bytes")
# The reasons `page.js` sends. Anybody can send anything there, and the report shows it to others.
_REASONS = frozenset({"does not open", "gets no answer", "is closed at once"})
_CHOSEN = "is switched off"
"""By `--transport http`."""
_CARRIER_HEADERS = (b"content-", b"transfer-encoding", b"x-stlaunch", b"connection", b"expect")


class TunnelEndpoint:
    """Carry the app's WebSocket over plain requests, for pages whose upgrade never arrives.

    Args:
        stream: handles the WebSockets that are opened here; the chain of a real one's handshake.
        state: the open tunnels, this process, its counts and its findings.
        max_message_bytes: the largest message that Streamlit accepts.
        identity_headers: names of headers that carry the user's identity.
    """

    def __init__(
        self,
        *,
        stream: ASGIApp,
        state: GatewayState,
        max_message_bytes: Callable[[], int],
        identity_headers: Callable[[], frozenset[bytes]],
    ) -> None:
        self.stream = stream
        self.state = state
        self.registry = state.tunnels
        self.max_message_bytes = max_message_bytes
        self.identity_headers = identity_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a tunnel."""
        refused = refuse_other_pages(Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, send)
            return
        with suppress(ClientDisconnect):
            await self._route(request_info(scope).name, scope, receive, send)

    async def _route(self, tunnel_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if not tunnel_id:
            answer = await self._open(request)
            await answer(scope, receive, send)
            return
        tunnel = self.registry.find(tunnel_id)
        if tunnel is None:
            await self._unknown(tunnel_id)(scope, receive, send)
            return
        if tunnel.owner != self._owner(scope):
            answer = refusal(403, "STL504", "the tunnel belongs to another browser or user")
            await answer(scope, receive, send)
            return
        tunnel.touch()
        self._note_cut(tunnel, request)
        acknowledged = _number(request.query_params, "ack")
        mode = request.query_params.get("mode", "")
        await tunnel.acknowledge(acknowledged)
        if tunnel.is_closed and not tunnel.outbox.frames:
            self.registry.remove(tunnel)
            await self._unknown(tunnel_id)(scope, receive, send)
            return
        match scope["method"], mode:
            case "GET", "stream":
                await self._stream(tunnel, acknowledged, request, send)
            case "GET", _:
                await self._poll(tunnel, acknowledged, request, send)
            case "POST", "end":
                self.registry.remove(tunnel)
                await tunnel.disconnect(1001)
                await Response(status_code=204, headers=NO_STORE)(scope, receive, send)
            case "POST", _:
                answer = await self._take(tunnel, request)
                await answer(scope, receive, send)
            case _:
                await refusal(405, "STL701", "no such method")(scope, receive, send)

    async def _open(self, request: Request) -> Response:
        scope, owner = request.scope, self._owner(request.scope)
        if scope["method"] != "POST":
            return refusal(405, "STL701", "a tunnel is opened with POST")
        visitor = visitor_of(request_info(scope), owner)
        if self.registry.is_stopping:
            return refusal(503, "STL704", "the server is stopping")
        if not self.registry.has_room(visitor):
            return refusal(503, "STL703", "too many tunnels are open")
        tunnel = Tunnel(
            id=new_tunnel_id(self.state.instance.id),
            owner=owner,
            max_message_bytes=self.max_message_bytes(),
            idle_limit_s=self.registry.limits.idle_s,
            first_use_s=self.registry.limits.first_use_s,
        )
        self.registry.add(tunnel, visitor)
        opening = await tunnel.open(self.stream, _websocket_scope(scope))
        if opening.status != 101:  # noqa: PLR2004
            self.registry.remove(tunnel)
            code = "STL603" if opening.status == 503 else "STL501"  # noqa: PLR2004 - the session limit's
            return refusal(opening.status, code, "the app refused the connection")
        info = request_info(scope)
        if not (info.is_probe or opening.protocol == UPLOAD_PROTOCOL):
            self.state.handshakes.transports["http"] += 1
            self._log(request.headers.get("x-stlaunch-reason", ""), info)
        body = {
            "id": tunnel.id,
            "protocol": opening.protocol or "",
            "poll_s": self.registry.limits.poll_s,
            "idle_s": self.registry.limits.idle_s,
        }
        return JSONResponse(body, headers=NO_STORE)

    async def _poll(self, tunnel: Tunnel, acknowledged: int, request: Request, send: Send) -> None:
        wait_s = 0.0 if request.query_params.get("mode") == "brief" else self._wait_s(tunnel)
        answer = Answer(send, is_compressed=_accepts_gzip(request))
        try:
            async with tunnel.polling.take():
                await answer.send_whole(await tunnel.frames_after(acknowledged, wait_s=wait_s))
        except TimeoutError:  # a newer poll has arrived
            await answer.finish()

    async def _stream(
        self, tunnel: Tunnel, acknowledged: int, request: Request, send: Send
    ) -> None:
        """Send frames as they come; a first one right away shows whether the path buffers."""
        answer = Answer(send, is_compressed=_accepts_gzip(request))
        sent, wait_s = acknowledged, self._wait_s(tunnel)
        # Only requests are signs of life: a stream ends in time, so that a dead page is noticed.
        end_at = time.monotonic() + 2 * self.registry.limits.poll_s
        with suppress(TimeoutError):  # a newer poll has arrived
            async with tunnel.polling.take():
                await answer.write(HELLO)
                while time.monotonic() < end_at:
                    frames = await tunnel.frames_after(sent, wait_s=wait_s)
                    for part in encode_parts(frames):
                        await answer.write(part)
                    if tunnel.is_end_sent or not (frames or tunnel.cut_s):
                        break
                    if frames:
                        sent = frames[-1].number
                    else:  # something cuts quiet requests
                        await answer.write(HELLO)
        await answer.finish()

    async def _take(self, tunnel: Tunnel, request: Request) -> Response:
        """Take frames as they arrive; the page resends those beyond the limit."""
        reader, size, count = FrameReader(), 0, 0
        try:
            async with tunnel.putting.take():
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > _MAX_BODY:
                        return _TOO_LARGE
                    if count < _MAX_FRAMES:
                        frames = list(islice(reader.read(chunk), _MAX_FRAMES - count))
                        count += len(frames)
                        await tunnel.deliver(frames)
                        await self.registry.bound_unfinished(tunnel)
                if count < _MAX_FRAMES:
                    reader.end()
        except FrameError as exc:
            await tunnel.close(1009)
            return refusal(413, "STL601", str(exc))
        except TimeoutError:  # a newer request has arrived, and sends the same frames again
            pass
        return JSONResponse({"ack": tunnel.acknowledged}, headers=NO_STORE)

    def _wait_s(self, tunnel: Tunnel) -> float:
        usual_s = self.registry.limits.poll_s
        return min(usual_s, ping_below(tunnel.cut_s)) if tunnel.cut_s else usual_s

    def _note_cut(self, tunnel: Tunnel, request: Request) -> None:
        """Record the silence, as the page reports it, after which its requests are cut."""
        cut_s = _number(request.query_params, "cut")
        if not cut_s or cut_s == tunnel.cut_s or ping_below(cut_s) >= self.registry.limits.poll_s:
            return
        tunnel.cut_s = cut_s
        info = request_info(request.scope)
        fix = self.state.app_site.fix_text(Need.IDLE_TIMEOUT, info, *LOSE_UPGRADES)
        self._post(quiet_request_cut(cut_s, int(self._wait_s(tunnel)), fix), info)

    def _unknown(self, tunnel_id: str) -> Response:
        if tunnel_id.partition(".")[0] != self.state.instance.id:
            return refusal(409, "STL702", "the tunnel belongs to another replica")
        return refusal(410, "STL701", "the tunnel is closed")

    def _owner(self, scope: Scope) -> str:
        return owner_of(scope, self.identity_headers())

    def _log(self, reason: str, opening: RequestInfo) -> None:
        if reason == _CHOSEN:  # nothing is wrong, and no proxy could change it
            return
        finding: Finding = fell_back(
            reason if reason in _REASONS else "",
            self.state.app_site.fix_text(Need.UPGRADE, opening, *LOSE_UPGRADES),
            via=", ".join(names_in_request(opening.headers)),
            brief=self.state.app_site.brief_fix(Need.UPGRADE, opening, "STL301"),
            is_explained=bool(self.state.handshakes.stripped),
        )
        self._post(finding, opening)

    def _post(self, finding: Finding, request: RequestInfo) -> None:
        client = client_key(request.client or request.peer)
        base = request.base.value if request.base else ""
        self.state.finding_log.post(replace(finding, base_path=base), client=client)


def _websocket_scope(scope: Scope) -> Scope:
    """Return the WebSocket handshake that this request stands in for."""
    offered = Headers(scope=scope).get("x-stlaunch-protocols", "")
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if not name.startswith(_CARRIER_HEADERS) and name != b"sec-websocket-protocol"
    ]
    if offered:
        headers.append((b"sec-websocket-protocol", offered.encode("latin-1")))
    handshake = for_streamlit_path(scope, STREAM, RequestKind.STREAM, is_tunnel=True)
    handshake.update(
        {
            "type": "websocket",
            "scheme": "wss" if scope["scheme"] == "https" else "ws",
            "headers": headers,
            "subprotocols": [item.strip() for item in offered.split(",") if item.strip()],
            "extensions": {"websocket.http.response": {}},
        }
    )
    handshake.pop("method", None)
    return handshake


def _accepts_gzip(request: Request) -> bool:
    return choose_coding(request.headers.get("accept-encoding"), ["gzip"]) is not None


def _number(query: QueryParams, name: str) -> int:
    text = query.get(name, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0  # noqa: PLR2004
