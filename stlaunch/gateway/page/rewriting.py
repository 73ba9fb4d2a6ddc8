"""Add the page script, its tokens and cookies to the app's HTML page, and to nothing else.

The page is Streamlit's index.html, recognised by the script it loads. If the public path is known,
its relative addresses become absolute, so that `/app` without a slash works even if a proxy hides
the slash.
"""

from __future__ import annotations

import gzip
import html
import json
import logging
import re
import zlib
from collections.abc import Awaitable, Callable, Sequence

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.asking import MAX_ASKED_BYTES, Asked, ask
from stlaunch.gateway.origin_policy import OriginProof
from stlaunch.gateway.page.preloads import Preloads
from stlaunch.gateway.page.proof import proof_cookies
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import HEALTH, HOST_CONFIG, LOADER, SELF_CHECK, RequestKind

logger = logging.getLogger(__name__)

_MARKER = b'src="./static/js/index.'
_ENTRY_SCRIPT = re.compile(rb'src="\./static/(js/index\.[\w.-]{1,200})"')
_MAX_PAGE = 512 * 1024
_OK = 200
# The page is built for each browser, so it is never answered with 304, and it is rewritten, so it
# must not arrive compressed.
_DROPPED_REQUEST = frozenset({b"if-none-match", b"if-modified-since", b"accept-encoding"})
# With it the server reads the page from disk itself, and no layer can rewrite it.
_PATHSEND = "http.response.pathsend"
_DROPPED_RESPONSE = frozenset(
    {b"content-length", b"content-encoding", b"etag", b"last-modified", b"cache-control"}
    | {b"accept-ranges"}
)


class PageMiddleware:
    """Rewrite Streamlit's page on its way out.

    Args:
        app: the next layer, down to the app.
        proof: signs the tokens.
        public_paths: all known public paths, for the script to choose from if a request does not
            show which one it came through.
        sends_proof: whether tokens are of use (`OriginPolicy.sends_proof`).
        transport: `auto`, `websocket` or `http`.
        script_query: changes with the page script, so that no old one is used from a cache, and
            with the process, so that another replica notices.
        takes_host_config: says whether an entry script, such as `js/index.abc.js`, reads the host
            configuration from its page; it reads a file.
        preloads: which scripts this page will use.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        proof: OriginProof,
        public_paths: Sequence[BasePath],
        sends_proof: bool,
        script_query: str,
        transport: str,
        takes_host_config: Callable[[str], bool],
        preloads: Preloads,
    ) -> None:
        self.app = app
        self.proof = proof
        self.public_paths = public_paths
        self.sends_proof = sends_proof
        self.script_query = script_query
        self.transport = transport
        self.takes_host_config = takes_host_config
        self.preloads = preloads

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request for a page."""
        if scope["method"] not in {"GET", "HEAD"}:
            return self.app(scope, receive, send)
        request = dict(scope)
        request["headers"] = [item for item in scope["headers"] if item[0] not in _DROPPED_REQUEST]
        if _PATHSEND in scope.get("extensions", {}):
            extensions = scope["extensions"].items()
            request["extensions"] = {key: value for key, value in extensions if key != _PATHSEND}
        # HEAD must answer like GET; the body is dropped on the way out.
        request["method"] = "GET"
        return self.app(request, receive, _PageResponse(self, scope, send))

    async def rewrite(
        self, scope: Scope, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return the page's headers and body for this browser."""
        base = request_info(scope).base
        kept = [(name, value) for name, value in headers if name not in _DROPPED_RESPONSE]
        kept.append((b"cache-control", b"private, no-cache"))
        # Ahead of Streamlit's own scripts, which depend on it.
        attributes = {"fetchpriority": "high", "data-transport": str(self.transport)}
        if base is not None:
            attributes["data-base"] = base.value
        elif self.public_paths:
            attributes["data-public-paths"] = json.dumps([path.value for path in self.public_paths])
        if self.sends_proof:
            kept.extend(self._prove(request_info(scope), attributes))
        # Streamlit sets the XSRF cookie only there; if a load balancer answers the health check
        # itself, the browser would never get it and every upload would end in 403.
        health = await self._ask(scope, HEALTH, RequestKind.HEALTH)
        kept.extend(item for item in health.headers if item[0].lower() == b"set-cookie")
        if host_config := await self._host_config(scope, body):
            attributes["data-host-config"] = host_config
        # Those that the page itself names load anyway.
        scripts = self.preloads.scripts_for(request_info(scope))
        if others := [name for name in scripts if name.encode() not in body]:
            attributes["data-preload"] = " ".join(others)
        front = f"{base.value}/" if base is not None else "./"
        attributes["src"] = f"{front}{SELF_CHECK.lstrip('/')}/page.js?{self.script_query}"
        tag = "<script " + " ".join(
            f'{name}="{html.escape(value)}"' for name, value in attributes.items()
        )
        address = f"{front}{LOADER.lstrip('/')}?{self.script_query}"
        loader = f'<script src="{html.escape(address)}"></script>'
        body = body.replace(b"<head>", b"<head>" + (tag + "></script>" + loader).encode(), 1)
        if base is not None:
            absolute = html.escape(front).encode()
            for attribute in (b'src="', b'href="'):
                body = body.replace(attribute + b"./", attribute + absolute)
        kept.append((b"content-length", str(len(body)).encode()))
        return kept, body

    async def _host_config(self, scope: Scope, body: bytes) -> str:
        """Return the app's own host configuration as JSON, with which the page needs no ping.

        Empty if the installed page does not read one, or the app has none.
        """
        entry = _ENTRY_SCRIPT.search(body)
        if entry is None:
            return ""
        if not await to_thread.run_sync(self.takes_host_config, entry[1].decode()):
            return ""
        answer = await self._ask(scope, HOST_CONFIG, RequestKind.STREAMLIT)
        if len(answer.body) > MAX_ASKED_BYTES:
            return ""
        try:
            found = json.loads(answer.body) if answer.status == _OK else None
        except ValueError:
            return ""
        return json.dumps(found, separators=(",", ":")) if isinstance(found, dict) else ""

    async def _ask(self, scope: Scope, path: str, kind: RequestKind) -> Asked:
        return await ask(self.app, scope, path, kind, without=_DROPPED_REQUEST)

    def _prove(self, request: RequestInfo, attributes: dict[str, str]) -> list[tuple[bytes, bytes]]:
        cookies, tokens = proof_cookies(self.proof, request)
        attributes["data-tokens"] = " ".join(tokens)
        return cookies


class _PageResponse:
    """Hold an HTML answer back until it is clear whether it is the page."""

    def __init__(self, layer: PageMiddleware, scope: Scope, send: Send) -> None:
        self.layer = layer
        self.scope = scope
        self.send = send
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {name.lower(): value for name, value in message["headers"]}
            is_html = headers.get(b"content-type", b"").startswith(b"text/html")
            if is_html and message["status"] == _OK:
                self.start = message
            else:
                await self.send(message)
        elif self.start is None or message["type"] != "http.response.body":
            await self.send(self._without_body(message))
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish()
            elif len(self.body) > _MAX_PAGE or not self._may_be_page():
                await self._pass_on(more_body=True)

    def _may_be_page(self) -> bool:
        headers = dict(self._headers())
        if b"content-encoding" in headers or not self.body or _MARKER in self.body:
            return True
        # The page is a file of known length; a stream of unknown length must not be held back.
        return b"content-length" in headers and len(self.body) < _MAX_PAGE // 16

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = self.start["headers"] if self.start else []
        return [(name.lower(), value) for name, value in headers]

    async def _finish(self) -> None:
        headers = self._headers()
        body = _decoded(self.body, dict(headers).get(b"content-encoding"))
        if body is None or _MARKER not in body:
            await self._pass_on(more_body=False)
            return
        headers, body = await self.layer.rewrite(self.scope, headers, body)
        await self.send({**(self.start or {}), "headers": headers})
        await self.send(self._without_body({"type": "http.response.body", "body": body}))

    async def _pass_on(self, *, more_body: bool) -> None:
        start, self.start = self.start, None
        await self.send(start or {})
        body = {"type": "http.response.body", "body": self.body, "more_body": more_body}
        await self.send(self._without_body(body))

    def _without_body(self, message: Message) -> Message:
        if self.scope["method"] == "HEAD" and message["type"] == "http.response.body":
            return {**message, "body": b""}
        return message


def _decoded(body: bytes, encoding: bytes | None) -> bytes | None:
    """Undo gzip that a layer below applied unasked; return None if that fails."""
    if encoding is None or encoding == b"identity":
        return body
    if encoding != b"gzip":
        return None
    try:
        return zlib.decompressobj(wbits=31).decompress(body, _MAX_PAGE)
    except (zlib.error, gzip.BadGzipFile):
        return None
