"""Tell whether two requests come from the same browser and user, without keeping who that is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from starlette.types import Scope

from stlaunch.diagnostics.handshake import read_cookies
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE
from stlaunch.gateway.request import request_info


def owner_of(scope: Scope, identity_headers: Collection[bytes] = ()) -> str:
    """Return a digest of the browser's ids and the user's identity headers.

    Where no id arrives (a proxy drops cookies), the client's address stands in.
    """
    names = {PLAIN_COOKIE, HOST_COOKIE}
    cookies = [pair for pair in read_cookies(request_info(scope).headers) if pair[0] in names]
    identity = [item for item in scope["headers"] if item[0] in identity_headers]
    client = "" if cookies else (scope.get("client") or ("",))[0]
    facts = repr((sorted(cookies), sorted(identity), client))
    return hashlib.sha256(facts.encode()).hexdigest()
