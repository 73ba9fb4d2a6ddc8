"""Send one HTTP/1.1 request per connection, with every read bounded in bytes and time.

It follows no redirect, keeps a cookie only on request, and trusts nothing that it reads.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import field
from typing import Any

import anyio
import h11
from anyio.abc import ByteStream

from stlaunch import __version__
from stlaunch.check.cookies import Jar, as_pairs
from stlaunch.check.dialer import Dialer, failure_of
from stlaunch.check.locations import is_within
from stlaunch.check.observations import Exchange, Failure, HeaderPairs
from stlaunch.check.options import Headers
from stlaunch.quick_dataclass import dataclass

_HEADER_LIMIT = 64 * 1024
_READ = 64 * 1024
_KEPT = 64 * 1024
_PIECE = 256 * 1024
USER_AGENT = f"Mozilla/5.0 (compatible; stlaunch-check/{__version__})"
BODY_LIMIT = 2 * 1024 * 1024
CHECK = ("X-Stlaunch", "check")
"""Marks a probe: an app under stlaunch answers it like any other, but concludes nothing from it."""


@dataclass(slots=True)
class Answer:
    """As much of an answer as has arrived."""

    status: int | None = None
    headers: HeaderPairs = ()
    kept: bytearray = field(default_factory=bytearray)
    size: int = 0
    first_at: float | None = None
    digest: Any = field(default_factory=hashlib.sha256)
    failure: Failure | None = None
    detail: str = ""
    into: bytearray | None = None
    """Also receives the whole body."""

    def add(self, data: bytes) -> None:
        """Add a piece of the body."""
        if self.into is not None:
            self.into += data
        self.first_at = self.first_at or time.monotonic()
        self.size += len(data)
        self.digest.update(data)
        self.kept += data[: _KEPT - len(self.kept)]

    @property
    def text(self) -> str:
        """The beginning of the body, decompressed up to the size that is kept."""
        data = bytes(self.kept)
        encoding = next((v.lower() for k, v in self.headers if k == "content-encoding"), "")
        if encoding in {"gzip", "deflate"}:
            try:
                data = zlib.decompressobj(wbits=47).decompress(data, _KEPT)
            except zlib.error:
                return ""
        elif encoding not in {"", "identity"}:
            return ""
        return data.decode("utf-8", "replace")


class Client:
    """One browser: it keeps cookies, and sends the user's own headers to the app only.

    Args:
        dialer: connects to the target.
        headers: the user's; sent to the app's own paths only.
        cookies: the user's `name=value` pairs; likewise.
        slots: how many connections may be open at once, WebSockets among them.
    """

    def __init__(
        self,
        dialer: Dialer,
        *,
        headers: Headers = (),
        cookies: Sequence[str] = (),
        slots: anyio.CapacityLimiter,
    ) -> None:
        self.dialer = dialer
        self.headers = headers
        self.cookies = tuple(cookies)
        self.slots = slots
        self.jar = Jar(dialer.target)

    @asynccontextmanager
    async def one_connection(self) -> AsyncIterator[None]:
        """Wait for a free slot, and hold it; a task may hold several."""
        holder = object()
        await self.slots.acquire_on_behalf_of(holder)
        try:
            yield
        finally:
            self.slots.release_on_behalf_of(holder)

    def cookies_for(
        self, path: str, cookies: Sequence[str] = (), *, without: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return the cookies for a path: the user's, then the jar's, then `cookies`."""
        own = self.cookies if self._is_of_app(path) else ()
        pairs = [*own, *as_pairs(self.jar.sent_to(path).items()), *cookies]
        named = {pair.partition("=")[0]: pair for pair in pairs}
        return tuple(pair for name, pair in named.items() if name not in without)

    def headers_for(self, path: str) -> Headers:
        """Return the user's own headers, for the app's own paths."""
        return self.headers if self._is_of_app(path) else ()

    def _is_of_app(self, path: str) -> bool:
        """Distinguish the app's own paths from others on the same host."""
        return is_within(self.dialer.target.base_path, path.partition("?")[0])

    def head(
        self,
        path: str,
        extra: Headers = (),
        cookies: Sequence[str] = (),
        *,
        without: Sequence[str] = (),
    ) -> Headers:
        """Return the request's headers; a later one replaces earlier ones of the same name.

        Args:
            path: the requested path.
            extra: more headers.
            cookies: more cookies.
            without: names of cookies to leave out.
        """
        jar = self.cookies_for(path, cookies, without=without)
        pairs = [
            ("Host", self.dialer.target.host),
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            *self.headers_for(path),
        ]
        names = {name.lower() for name, _ in extra}
        pairs = [(name, value) for name, value in pairs if name.lower() not in names]
        if jar:
            pairs.append(("Cookie", "; ".join(jar)))
        return (*pairs, *extra)

    async def get(
        self,
        path: str,
        *,
        extra: Headers = (),
        cookies: Sequence[str] = (),
        limit: int = BODY_LIMIT,
    ) -> Exchange:
        """Request a path; an answer beyond `limit` bytes is truncated and marked as such."""
        return await self.send("GET", path, extra=extra, cookies=cookies, limit=limit)

    async def send(
        self,
        method: str,
        path: str,
        *,
        extra: Headers = (),
        cookies: Sequence[str] = (),
        body: bytes = b"",
        padding: int = 0,
        holds_body: bool = False,
        without: Sequence[str] = (),
        limit: int = BODY_LIMIT,
        timeout_s: float | None = None,
        into: bytearray | None = None,
    ) -> Exchange:
        """Send one request and read its answer.

        Args:
            method: such as PUT.
            path: including the base path.
            extra: more headers.
            cookies: more cookies.
            body: the beginning of the body.
            padding: how many zero bytes follow it.
            holds_body: announce the body, wait for a first answer, and send none of it.
            without: names of cookies to leave out.
            limit: the maximum size of the answer's body, in bytes.
            timeout_s: a deadline other than the usual one.
            into: receives the whole body of the answer.
        """
        answer = Answer(into=into)
        length = len(body) + padding
        headers = [*self.head(path, extra, cookies, without=without), ("Connection", "close")]
        if method != "GET":
            headers.append(("Content-Length", str(length)))
        if holds_body:
            headers.append(("Expect", "100-continue"))
        async with self.one_connection():
            began = time.monotonic()
            with anyio.move_on_after(timeout_s or self.dialer.timeout_s) as scope:
                try:
                    stream = await self.dialer.connect()
                    try:
                        wire = _Wire(stream, answer, limit)
                        request = h11.Request(method=method, target=path, headers=headers)
                        await wire.run(request, body, padding, holds_body=holds_body)
                    finally:
                        with anyio.CancelScope(shield=True):
                            await anyio.aclose_forcefully(stream)
                except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as exc:
                    answer.failure, answer.detail = failure_of(exc)
                except h11.RemoteProtocolError as exc:
                    is_early_end = "without sending" in str(exc) or "closed connection" in str(exc)
                    answer.failure = Failure.CLOSED if is_early_end else Failure.BAD_HTTP
                    answer.detail = str(exc)
            if scope.cancelled_caught:
                answer.failure, answer.detail = Failure.TIMEOUT, "no whole answer in time"
        return Exchange(
            url=f"{self.dialer.target.origin}{path}",
            method=method,
            status=answer.status,
            headers=answer.headers,
            text=answer.text,
            size=answer.size,
            sha256=answer.digest.hexdigest() if answer.size else "",
            elapsed_ms=round((time.monotonic() - began) * 1000),
            first_ms=round((answer.first_at - began) * 1000) if answer.first_at else None,
            failure=answer.failure,
            detail=answer.detail,
        )


class _Wire:
    """One request on one connection."""

    def __init__(self, stream: ByteStream, answer: Answer, limit: int) -> None:
        self.stream = stream
        self.answer = answer
        self.limit = limit
        self.state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_LIMIT)

    async def run(
        self, request: h11.Request, body: bytes, padding: int, *, holds_body: bool
    ) -> None:
        await self.stream.send(self.state.send(request) or b"")
        if holds_body:
            await self._read(until_informational=True)
            return
        if not padding:
            if body:
                await self.stream.send(self.state.send(h11.Data(data=body)) or b"")
            await self.stream.send(self.state.send(h11.EndOfMessage()) or b"")
            await self._read()
            return
        # A proxy may answer 413 and close while the body is still being sent.
        broken: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_body, body, padding)
            try:
                await self._read()
            except (OSError, anyio.BrokenResourceError, h11.RemoteProtocolError) as exc:
                broken = (
                    exc  # raised below: from inside a task group it would be an exception group
                )
            tasks.cancel_scope.cancel()
        if broken is not None:
            raise broken

    async def _send_body(self, body: bytes, padding: int) -> None:
        try:
            await self.stream.send(self.state.send(h11.Data(data=body)) or b"")
            while padding > 0:
                piece = bytes(min(padding, _PIECE))
                padding -= len(piece)
                await self.stream.send(self.state.send(h11.Data(data=piece)) or b"")
            await self.stream.send(self.state.send(h11.EndOfMessage()) or b"")
        except (OSError, anyio.BrokenResourceError, h11.LocalProtocolError):
            return  # the answer says why

    async def _read(self, *, until_informational: bool = False) -> None:
        while True:
            event = self.state.next_event()
            if event is h11.NEED_DATA:
                self.state.receive_data(await _receive(self.stream))
            elif isinstance(event, h11.InformationalResponse):
                if until_informational:
                    self.answer.status = event.status_code
                    return
            elif isinstance(event, h11.Response):
                self.answer.status = event.status_code
                self.answer.headers = readable(event.headers)
            elif isinstance(event, h11.Data):
                self.answer.add(event.data)
                if self.answer.size > self.limit:
                    self.answer.failure = Failure.TOO_LARGE
                    self.answer.detail = f"more than {self.limit} bytes"
                    return
            else:
                return


async def _receive(stream: ByteStream) -> bytes:
    try:
        return await stream.receive(_READ)
    except anyio.EndOfStream:
        return b""


def readable(headers: Sequence[tuple[bytes, bytes]]) -> HeaderPairs:
    """Return headers as text, names in lower case."""
    return tuple((k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in headers)
