"""Serve the page script: readable parts joined into one file, with an ETag."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stlaunch.gateway.page.blocked import is_report
from stlaunch.gateway.refusal import NO_STORE, refuse_other_methods
from stlaunch.gateway.request import request_info

# Classic scripts that share one function scope: names of one are visible in the next.
_PARTS = (
    "tunnel/polling_place.js",
    "tunnel/tunnel.js",
    "uploads/pieces.js",
    "uploads/upload.js",
    "page/endpoints.js",
    "page/configuration.js",
    "page/old_page.js",
    "page/blocked.js",
    "page/page.js",
)
_FOLDER = files("stlaunch.gateway")
_LOADER = _FOLDER.joinpath("page/start.js").read_bytes()
_SOURCE = (
    b'"use strict";\n(() => {\n'
    + b"\n".join(_FOLDER.joinpath(name).read_bytes() for name in _PARTS)
    + b"})();\n"
)
PAGE_SCRIPT_VERSION = hashlib.sha256(_SOURCE + _LOADER).hexdigest()[:12]
_ETAG = f'"{PAGE_SCRIPT_VERSION}"'
_HEADERS = {
    # Asked for again on each load of the page, which shows where the app is reached; the answer
    # is a 304 of some hundred bytes (RFC 9110 section 13.1.2).
    "cache-control": "no-cache",
    "etag": _ETAG,
    "x-content-type-options": "nosniff",
}
# Its address has the version. It is asked for once, so that it costs no page anything.
_LOADER_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}


async def page_script(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for the page script, or for its loader: an ASGI app.

    The script is answered with 304 where the browser has it. A report of what the browser blocked
    comes the same way, and gets an empty script.
    """
    answer = refuse_other_methods(scope)
    if answer is None and request_info(scope).name:
        answer = Response(_LOADER, media_type="text/javascript", headers=_LOADER_HEADERS)
    if answer is None and is_report(scope["query_string"]):
        answer = Response(b"", media_type="text/javascript", headers=NO_STORE)
    answer = answer or _script(Headers(scope=scope))
    await answer(scope, receive, send)


def _script(headers: Headers) -> Response:
    known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    if _ETAG in known:
        return Response(status_code=304, headers=_HEADERS)
    return Response(_SOURCE, media_type="text/javascript", headers=_HEADERS)
