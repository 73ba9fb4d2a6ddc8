"""Serve the page at `{base}/_stlaunch/`: three files, and a policy that allows only them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from starlette.datastructures import Headers
from starlette.responses import Response

from stlaunch.diagnostics.clocks import MAX_SKEW_S
from stlaunch.gateway.quality_values import read_quality_values
from stlaunch.proxies.recognition import answer_headers

_FOLDER = files("stlaunch.gateway.selfcheck") / "diagnosis"
# Classic scripts that share one function scope: each sees the names of those before it.
_PARTS = (
    *("network.js", "outcome.js", "tests_http.js", "tests_socket.js", "tests_slow.js"),
    *("copy.js", "view.js", "main.js"),
)
SCRIPT = (
    b'"use strict";\n(() => {\n'
    + b"\n".join(_FOLDER.joinpath(name).read_bytes() for name in _PARTS)
    + b"})();\n"
)
_STYLE = _FOLDER.joinpath("diagnosis.css").read_bytes()
_VERSION = hashlib.sha256(SCRIPT + _STYLE).hexdigest()[:12]
_OWN_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
POLICY = f"{_OWN_POLICY}; frame-ancestors 'none'"
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_FILES = {
    "diagnosis.js": (SCRIPT, "text/javascript"),
    "diagnosis.css": (_STYLE, "text/css"),
}


_FORMS = {"text/html": "html", "text/plain": "text", "application/json": "json"}


def page() -> Response:
    """Return the page; nothing in it depends on the request."""
    return Response(_text(), media_type="text/html", headers=_HEADERS)


@cache
def _text() -> str:
    # The policy is in the page as well: a proxy may replace the header with its own.
    return (
        _FOLDER.joinpath("index.html")
        .read_text(encoding="utf-8")
        .replace("{version}", _VERSION)
        .replace("{policy}", _OWN_POLICY)
        .replace("{signs}", " ".join(answer_headers()))
        .replace("{clock_skew_s}", str(MAX_SKEW_S))
    )


def page_file(name: str) -> Response | None:
    """Return one of the page's files."""
    found = _FILES.get(name)
    return Response(found[0], media_type=found[1], headers=_HEADERS) if found else None


def prefers(headers: Headers) -> str:
    """Return the first choice of an Accept header, `html`, `text` or `json`; `json` without one.

    >>> prefers(Headers({"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}))
    'html'
    """
    weights = read_quality_values(headers.get("accept", ""))
    # Of several with the same weight, the first one listed wins.
    listed = [media for media in weights if media in _FORMS and weights[media] > 0]
    return _FORMS[max(listed, key=weights.__getitem__)] if listed else "json"
