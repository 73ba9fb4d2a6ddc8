"""Serve the page script: readable parts joined into one file, with an ETag."""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stlaunch.gateway.assets.codings import available_codings, choose_coding
from stlaunch.gateway.page.blocked import is_report
from stlaunch.gateway.page.preloads import Preloads, is_scripts_report
from stlaunch.gateway.refusal import NO_STORE, refuse_other_methods, refuse_other_pages
from stlaunch.gateway.request import request_info

# Classic scripts that share one function scope: each sees the names of those before it.
_PARTS = (
    "tunnel/polling_place.js",
    "tunnel/tunnel.js",
    "uploads/pieces.js",
    "uploads/socket.js",
    "uploads/upload.js",
    "page/endpoints.js",
    "page/notice.js",
    "page/signed_out.js",
    "page/configuration.js",
    "page/late_files.js",
    "page/early_socket.js",
    "page/old_page.js",
    "page/blocked.js",
    "page/preloads.js",
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
_HEADERS = {"vary": "Accept-Encoding", "x-content-type-options": "nosniff"}
_SHORT = {"cache-control": "no-cache"}
_LONG = {"cache-control": "public, max-age=31536000, immutable"}
_LOADER_HEADERS = {"x-content-type-options": "nosniff", **_LONG}


class PageScript:
    """Answer a request for the page script, or for its loader: an ASGI app.

    A browser caches it for as long as this process lives, because the page names this process and
    the script's version. Each browser requests it once per address of the app, which shows where
    the app is reached. Reports of what the browser blocked, or of the scripts that a page used,
    arrive the same way, and get an empty script.

    Args:
        instance_id: this process's.
        preloads: takes the reports of scripts.
    """

    def __init__(self, instance_id: str, preloads: Preloads) -> None:
        self._query = page_script_query(instance_id).encode()
        self._preloads = preloads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        answer = refuse_other_methods(scope) or self._script(scope)
        await answer(scope, receive, send)

    def _script(self, scope: Scope) -> Response:
        request, query = request_info(scope), scope["query_string"]
        if request.name:  # requested once, by a page that names its version
            return Response(_LOADER, media_type="text/javascript", headers=_LOADER_HEADERS)
        if is_scripts_report(query):
            refused = refuse_other_pages(Headers(scope=scope))
            if refused is not None:
                return refused
            self._preloads.note(request, query)
        if is_scripts_report(query) or is_report(query):
            return Response(b"", media_type="text/javascript", headers=NO_STORE)
        is_lasting = query == self._query
        return _script(Headers(scope=scope), _HEADERS | (_LONG if is_lasting else _SHORT))


def page_script_query(instance_id: str) -> str:
    """Return the query string with which a page requests its script."""
    return f"v={PAGE_SCRIPT_VERSION}&i={instance_id}"


def _script(asked: Headers, headers: dict[str, str]) -> Response:
    codings = [coding.token for coding in available_codings()]
    coding = choose_coding(", ".join(asked.getlist("accept-encoding")), codings)
    headers = headers | {"etag": f'"{PAGE_SCRIPT_VERSION}-{coding or "identity"}"'}
    if coding is not None:
        headers["content-encoding"] = coding
    known = [tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(",")]
    if headers["etag"] in known:
        return Response(status_code=304, headers=headers)
    return Response(_compressed(coding), media_type="text/javascript", headers=headers)


@functools.cache
def _compressed(token: str | None) -> bytes:
    coding = next((coding for coding in available_codings() if coding.token == token), None)
    return coding.compress([_SOURCE]) if coding is not None else _SOURCE
