"""Recognise a browser by the ids that the app's page gave it, without storing who it is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from starlette.types import Scope

from stlaunch.diagnostics.handshake import read_cookies
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE
from stlaunch.gateway.places import Visitor, client_key, may_be_proxy
from stlaunch.gateway.request import RequestInfo, request_info

_NAMES = frozenset({PLAIN_COOKIE, HOST_COOKIE})


def browser_ids(request: RequestInfo) -> tuple[tuple[str, str], ...]:
    """Return the proof cookies that arrived, as (name, value); empty for a new browser."""
    return tuple(sorted(pair for pair in read_cookies(request.headers) if pair[0] in _NAMES))


def owner_of(scope: Scope, identity_headers: Collection[bytes] = ()) -> str:
    """Return a digest of the browser's ids and the user's identity headers.

    If no id arrives (a proxy drops cookies), the client's address takes its place.
    """
    request = request_info(scope)
    ids = browser_ids(request)
    identity = sorted(item for item in scope["headers"] if item[0] in identity_headers)
    client = "" if ids else request.client or ""
    return hashlib.sha256(repr((ids, identity, client)).encode()).hexdigest()


def visitor_of(request: RequestInfo, owner: str) -> Visitor:
    """Return who made a request.

    Args:
        request: the request.
        owner: a digest of the browser's id, or of its address where it has none.
    """
    is_named = request.client is not None and request.client != request.peer
    address = request.client or request.peer
    return Visitor(
        browser=owner if browser_ids(request) else "",
        address=client_key(address),
        is_shared=not is_named and may_be_proxy(address),
    )
