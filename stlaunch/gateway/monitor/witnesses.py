"""Decide whose handshakes count as evidence: those of the app's own pages.

It grants no access. A program can also load the page and make such a handshake, but only in its
own name: `HandshakeStats.summary` requires the asking client's own, or those of several clients.
"""

from __future__ import annotations

from stlaunch.diagnostics.handshake import header_value, list_values, read_cookies
from stlaunch.gateway.origin_policy import (
    HOST_COOKIE,
    PLAIN_COOKIE,
    TOKEN_PREFIX,
    OriginPolicy,
    OriginProof,
)
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo
from stlaunch.urls.origin import Origin

# Lax cookies: a socket that a page of another site opens does not carry them.
_OF_PAGES = frozenset({PLAIN_COOKIE, HOST_COOKIE, "_streamlit_xsrf"})
_PROTOCOL = b"sec-websocket-protocol"


def witness_of(request: RequestInfo, *, policy: OriginPolicy, proof: OriginProof) -> str:
    """Return the client whose page made this handshake; empty where no page of the app did.

    Args:
        request: a handshake, intact or not.
        policy: pages have a token only if it is accepted; otherwise their cookies have to do.
        proof: verifies tokens.
    """
    cookies = read_cookies(request.headers)
    if policy.is_proof_accepted:
        is_own = proof.verify(cookies, _tokens(request), is_https=_is_https(request))
    else:
        is_own = not _OF_PAGES.isdisjoint(name for name, _ in cookies)
    return client_key(request.client or request.peer) if is_own else ""


def _tokens(request: RequestInfo) -> list[str]:
    offered = list_values(request.headers, _PROTOCOL)
    return [item.removeprefix(TOKEN_PREFIX) for item in offered if item.startswith(TOKEN_PREFIX)]


def _is_https(request: RequestInfo) -> bool:
    origin = Origin.parse(header_value(request.headers, b"origin") or "")
    return request.scheme == "https" or (origin is not None and origin.scheme == "https")
