"""Accept an upload in pieces, for proxies that limit bodies, and pass it on as one PUT.

    POST {base}/_stlaunch/upload              open; X-Stlaunch-Target names the upload's address
    POST {base}/_stlaunch/upload/ID?offset=N  one piece; the answer says what is expected next
    POST {base}/_stlaunch/upload              with X-Stlaunch-Method: DELETE: pass a DELETE on

Only POST, because proxies often refuse PUT and DELETE. The pieces stream, in order, into a single
request to the app, which applies its own limit, its XSRF check and its session check. They are
passed on as they arrive, so that an abandoned upload holds next to nothing. The app's answer is
sent again if the answer to the last piece was lost on the way.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import body_limited, method_refused
from stlaunch.gateway.owner import owner_of, visitor_of
from stlaunch.gateway.places import Places
from stlaunch.gateway.refusal import NO_STORE, refusal, refuse_other_pages
from stlaunch.gateway.request import request_info
from stlaunch.gateway.uploads.carried import (
    FULL,
    CarriedUpload,
    is_size,
    is_target,
    upload_scope,
)
from stlaunch.proxies.needs import Need, Product

_MAX_PIECE = 8 * 1024 * 1024
_MAX_ANSWERED = 256
_MAX_ANSWERED_PER_ADDRESS = 64
# A page sends its first piece at once.
_FIRST_PIECE_S = 10.0
_NO_ANSWER = refusal(504, "STL602", "the app has not answered")
_TOO_LARGE = refusal(413, "STL601", "the piece is too large")
_SWEEP_S = 5.0
# The answers of rules that forbid a method.
_METHOD_REFUSED = frozenset({"403", "405", "501"})
_TWO_SIZES = re.compile(r"([0-9]{1,12}) ([0-9]{1,12})", re.ASCII)


class UploadPiecesEndpoint:
    """Serve the three requests above; `pieces.js` is the other end.

    Args:
        uploads: takes whole uploads; the same chain as for an upload in one request.
        instance_id: this process's; another replica's uploads are answered with 409.
        finding_log: takes the finding about a proxy's limit.
        app_site: knows the lines that raise it.
        places: bounds how many uploads there are.
        idle_s: how long an upload waits for its next piece.
    """

    def __init__(
        self,
        *,
        uploads: ASGIApp,
        instance_id: str,
        finding_log: FindingLog,
        app_site: AppSite,
        places: Places,
        idle_s: float = 60.0,
    ) -> None:
        self.app = uploads
        self.instance_id = instance_id
        self.finding_log = finding_log
        self.app_site = app_site
        self.idle_s = idle_s
        self._uploads: dict[str, CarriedUpload] = {}
        self._answered: dict[str, CarriedUpload] = {}
        self._places = places
        self._sweeper: asyncio.Task[None] | None = None
        self._has_logged_limit = False
        self._has_logged_method = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of an upload."""
        answer = refuse_other_pages(Headers(scope=scope))
        if answer is None:
            try:
                answer = await self._answer(request_info(scope).name, Request(scope, receive))
            except ClientDisconnect:
                return
        await answer(scope, receive, send)

    async def _answer(self, upload_id: str, request: Request) -> Response:
        if not upload_id:
            return await self._open(request)
        upload = self._uploads.get(upload_id) or self._answered.get(upload_id)
        if upload is None:
            is_ours = upload_id.partition(".")[0] == self.instance_id
            status, code = (410, "STL602") if is_ours else (409, "STL702")
            return refusal(status, code, "the upload is not open here")
        if upload.owner != owner_of(request.scope):
            return refusal(403, "STL504", "the upload belongs to another browser")
        with suppress(TimeoutError):  # a newer request has arrived: this one's connection is dead
            async with upload.turn.take():
                return await self._take(upload, request)
        return JSONResponse({"expected": upload.accepted_bytes}, headers=NO_STORE)

    async def _open(self, request: Request) -> Response:
        headers, scope = request.headers, request.scope
        target, total = headers.get("x-stlaunch-target", ""), headers.get("x-stlaunch-size", "")
        if request.method != "POST" or not is_target(target):
            return refusal(400, "STL602", "no such upload address")
        if headers.get("x-stlaunch-method") == "DELETE":
            return await self._delete(request)
        if not is_size(total):
            return refusal(400, "STL602", "the size is missing")
        owner = owner_of(scope)
        visitor = visitor_of(request_info(scope), owner)
        if not self._places.has_room(visitor):
            return FULL
        upload = CarriedUpload(owner=owner, visitor=visitor, total_bytes=int(total))
        self._places.take(visitor)
        upload_id = f"{self.instance_id}.{secrets.token_urlsafe(16)}"
        self._uploads[upload_id] = upload
        upload.start(self.app, _upload_scope(request, "PUT", upload))
        upload.task.add_done_callback(lambda _task: self._end(upload_id, upload))
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep(), name="upload sweeper")
        return JSONResponse({"id": upload_id, "expected": 0}, headers=NO_STORE)

    def _end(self, upload_id: str, upload: CarriedUpload) -> None:
        """Free the place as soon as the app has answered; keep the answer for its page."""
        if self._uploads.pop(upload_id, None) is None:
            return
        self._places.free(upload.visitor)
        upload.chunks = asyncio.Queue(maxsize=1)  # the app may have left one unread
        same = [
            key
            for key, other in self._answered.items()
            if other.visitor.address == upload.visitor.address
        ]
        if len(same) >= _MAX_ANSWERED_PER_ADDRESS or len(self._answered) >= _MAX_ANSWERED:
            del self._answered[(same or list(self._answered))[0]]
        self._answered[upload_id] = upload

    async def _take(self, upload: CarriedUpload, request: Request) -> Response:
        upload.seen_at = time.monotonic()
        if not (upload.is_complete or upload.task.done()):
            refused = await self._feed(upload, request)
            if refused is not None:
                return refused
        if upload.is_complete:
            await asyncio.wait({upload.task}, timeout=self.idle_s / 2)  # the page asks again
        if not upload.task.done():
            return JSONResponse({"expected": upload.accepted_bytes}, headers=NO_STORE)
        self._log(upload, request)
        return JSONResponse(upload.answer(), headers=NO_STORE)

    async def _delete(self, request: Request) -> Response:
        """Pass a DELETE on, for a page whose own one was refused on the way."""
        scope = request.scope
        owner = owner_of(scope)
        visitor = visitor_of(request_info(scope), owner)
        if not self._places.has_room(visitor):
            return FULL
        deletion = CarriedUpload(owner=owner, visitor=visitor, total_bytes=0)
        self._places.take(visitor)
        try:
            deletion.start(self.app, _upload_scope(request, "DELETE", deletion))
            await asyncio.wait({deletion.task}, timeout=self.idle_s)
            if not deletion.task.done():
                return _NO_ANSWER
        finally:
            deletion.task.cancel()
            self._places.free(visitor)
        self._log(deletion, request)
        return JSONResponse(deletion.answer(), headers=NO_STORE)

    async def _feed(self, upload: CarriedUpload, request: Request) -> Response | None:
        """Pass the piece to the app if it is the expected one; return the answer if refused."""
        expected = upload.accepted_bytes
        if request.method != "POST" or request.query_params.get("offset") != str(expected):
            return None
        most = min(_MAX_PIECE, upload.total_bytes - expected)
        length = request.headers.get("content-length", "")
        if is_size(length) and int(length) > most:
            return _TOO_LARGE
        position = expected
        async for chunk in request.stream():
            upload.seen_at = time.monotonic()
            if position + len(chunk) > expected + most:
                return _TOO_LARGE
            if chunk and not await upload.hand_on(chunk, at=position):
                return None
            position += len(chunk)
        return None

    async def _sweep(self) -> None:
        while self._uploads or self._answered:
            await asyncio.sleep(min(_SWEEP_S, self.idle_s / 2))
            self.give_up_abandoned()

    def give_up_abandoned(self) -> None:
        """Give up abandoned uploads; each holds a task."""
        now = time.monotonic()
        for upload_id, upload in list(self._uploads.items()):
            limit_s = self.idle_s if upload.accepted_bytes else _FIRST_PIECE_S
            if now - upload.seen_at > min(limit_s, self.idle_s):
                del self._uploads[upload_id]
                self._places.free(upload.visitor)
                upload.turn.end()
                upload.task.cancel()
        for upload_id, upload in list(self._answered.items()):
            if now - upload.seen_at > self.idle_s:
                del self._answered[upload_id]

    def _log(self, upload: CarriedUpload, last: Request) -> None:
        """Log once what the page learned about the path and sent with its last request.

        That is the largest piece that passed and the smallest that was refused, or the status that
        refused the method. A page that saw neither sends nothing.
        """
        limit = last.headers.get("x-stlaunch-limit", "")
        if limit and not self._has_logged_limit:
            self._has_logged_limit = True
            numbers = _TWO_SIZES.fullmatch(limit)
            passed, refused = (int(text) for text in numbers.groups()) if numbers else (0, 0)
            request = request_info(last.scope)
            fix = self.app_site.fix_text(Need.BODY_SIZE, request, Product.NGINX)
            self.finding_log.post(body_limited(passed, refused, fix))
        status = last.headers.get("x-stlaunch-refused", "")
        if status in _METHOD_REFUSED and upload.is_accepted and not self._has_logged_method:
            self._has_logged_method = True
            self.finding_log.post(method_refused(status))


def _upload_scope(request: Request, method: str, upload: CarriedUpload) -> Scope:
    return upload_scope(
        request.scope,
        request.headers["x-stlaunch-target"],
        method=method,
        total_bytes=upload.total_bytes,
        content_type=request.headers.get("x-stlaunch-type", ""),
    )
