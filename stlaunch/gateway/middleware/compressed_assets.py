"""Send Streamlit's hashed static files precompressed; change nothing else.

The app is asked each time (with HEAD), so that its own headers, its answer to a conditional request
and any checks of the user's own app in front of its files stay in force:

    the app sends                           the browser gets
    200, content-length: 861230, etag: "a"  200, content-length: 203344, etag: "a-gzip",
                                            content-encoding: gzip, vary: Accept-Encoding
    304, etag: "a"                          304, etag: "a-gzip"
    anything else                           the same

A range request gets a range of the uncompressed file. Bare Streamlit sends everything uncompressed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.handshake import header_value
from stlaunch.gateway.assets import Asset, AssetStore, choose_coding
from stlaunch.gateway.request import request_info
from stlaunch.urls.streamlit_routes import ASSETS

Headers = list[tuple[bytes, bytes]]

# The first page and the first script run come before work that only later visitors benefit from.
_DELAY_S = 1.0
_PIECE_BYTES = 256 * 1024
# These headers describe the uncompressed file, and are wrong for any other representation of it.
_DROPPED = frozenset({b"content-length", b"etag", b"accept-ranges", b"vary"})


class CompressedAssetsMiddleware:
    """Answer with a compressed file if there is one and the client accepts it.

    Args:
        app: the app itself.
        store: the files; compressed once the app has started.
    """

    def __init__(self, app: ASGIApp, *, store: AssetStore) -> None:
        self.app = app
        self.store = store

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request for a static file, or the app's lifespan."""
        if scope["type"] == "lifespan":
            return self._run_lifespan(scope, receive, send)
        asset = self._find(scope)
        if asset is None:
            return self.app(scope, receive, send)
        return self._answer(asset, scope, receive, send)

    async def _answer(self, asset: Asset, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = header_value(scope["headers"], b"accept-encoding")
        has_range = any(name == b"range" for name, _ in scope["headers"])
        token = None if has_range else choose_coding(accepted, asset.kept)
        if token is None or not await self._send_compressed(asset, token, scope, receive, send):
            await self.app(scope, receive, _with_vary(send))

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_start(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                asyncio.get_running_loop().call_later(_DELAY_S, self.store.start)

        try:
            await self.app(scope, receive, send_and_start)
        finally:
            self.store.stop()

    def _find(self, scope: Scope) -> Asset | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return None
        self.store.start()  # an app mounted in another one gets no lifespan
        path = request_info(scope).streamlit_path or ""
        return self.store.find(path.removeprefix(ASSETS))

    async def _send_compressed(
        self, asset: Asset, token: str, scope: Scope, receive: Receive, send: Send
    ) -> bool:
        """Send the file in this coding; return False, with nothing sent, if that is impossible."""
        start = await self._ask(token, scope, receive)
        if start is None:
            return False
        headers = [(name.lower(), value) for name, value in start["headers"]]
        if start["status"] == 304:  # noqa: PLR2004
            await send({**start, "headers": _rewritten(headers, token, None)})
            await send({"type": "http.response.body", "body": b""})
            return True
        kept = asset.kept.get(token)  # another request may have just found it missing
        if kept is None or not _is_whole(start["status"], headers, asset):
            return False
        try:
            pieces = _Pieces(kept)
            size = await pieces.open()
        except OSError:  # somebody emptied the folder
            asset.kept.pop(token, None)
            return False
        try:
            headers = _rewritten(headers, token, size)
            await send({**start, "headers": headers})
            if scope["method"] == "GET":
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            pieces.close()
        return True

    async def _ask(self, token: str, scope: Scope, receive: Receive) -> Message | None:
        start: Message | None = None

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message

        await self.app(_as_head(scope, token), receive, collect)
        return start


class _Pieces:
    """A kept file in pieces, so that a slow client keeps only one of them in memory."""

    def __init__(self, kept: Path | bytes) -> None:
        self._kept = kept
        self._file: BinaryIO | None = None
        self._first = b""

    async def open(self) -> int:
        """Return the size; also read the first piece, which is usually the only one."""
        if isinstance(self._kept, bytes):
            return len(self._kept)
        return await to_thread.run_sync(self._open, self._kept)

    def _open(self, path: Path) -> int:
        self._file = path.open("rb", buffering=0)
        self._first = self._file.read(_PIECE_BYTES)
        return self._file.seek(0, 2)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._kept, bytes):
            for begin in range(0, len(self._kept), _PIECE_BYTES):
                yield self._kept[begin : begin + _PIECE_BYTES]
            return
        piece = self._first
        if self._file is not None and len(piece) == _PIECE_BYTES:
            self._file.seek(_PIECE_BYTES)
        while piece:
            yield piece
            if self._file is None or len(piece) < _PIECE_BYTES:
                return
            piece = await to_thread.run_sync(self._file.read, _PIECE_BYTES)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _as_head(scope: Scope, token: str) -> Scope:
    headers: Headers = []
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            own = _own_tags(value, token)
            if own:
                headers.append((name, own))
        elif name != b"accept-encoding":
            headers.append((name, value))
    return {**scope, "method": "HEAD", "headers": headers}


def _own_tags(value: bytes, token: str) -> bytes:
    """Return this coding's tags as the app knows them; those of other codings do not match."""
    ending = f'-{token}"'.encode()
    tags = [tag.strip() for tag in value.split(b",")]
    own = [tag.removesuffix(ending) + b'"' for tag in tags if tag.endswith(ending)]
    return b", ".join([*own, *(tag for tag in tags if tag == b"*")])


def _is_whole(status: int, headers: Headers, asset: Asset) -> bool:
    found = dict(headers)
    is_same = found.get(b"content-length") == str(asset.size).encode()
    return status == 200 and is_same and b"content-encoding" not in found  # noqa: PLR2004


def _rewritten(headers: Headers, token: str, size: int | None) -> Headers:
    kept = [(name, value) for name, value in headers if name not in _DROPPED]
    for name, value in headers:
        if name == b"etag" and value.endswith(b'"'):
            kept.append((name, value.removesuffix(b'"') + f'-{token}"'.encode()))
    kept.append((b"vary", _varying(headers)))
    if size is not None:
        kept.append((b"content-encoding", token.encode()))
        kept.append((b"content-length", str(size).encode()))
    return kept


def _with_vary(send: Send) -> Send:
    async def send_varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message["headers"]]
            others = [item for item in headers if item[0] != b"vary"]
            message = {**message, "headers": [*others, (b"vary", _varying(headers))]}
        await send(message)

    return send_varying


def _varying(headers: Headers) -> bytes:
    present = header_value(headers, b"vary") or ""
    names = [name.strip() for name in present.split(",") if name.strip()]
    if not any(name.lower() in {"accept-encoding", "*"} for name in names):
        names.append("Accept-Encoding")
    return ", ".join(names).encode("latin-1")
