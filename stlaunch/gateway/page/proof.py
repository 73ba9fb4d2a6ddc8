"""Issue the cookies and tokens of the origin proof, with the page or on their own."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from stlaunch.diagnostics.handshake import read_cookies
from stlaunch.gateway.origin_policy import (
    HOST_COOKIE,
    PLAIN_COOKIE,
    OriginProof,
    is_cookie_id,
    new_cookie_id,
)
from stlaunch.gateway.refusal import NO_STORE, refuse_other_methods, refuse_other_pages
from stlaunch.gateway.request import RequestInfo, request_info


class TokenEndpoint:
    """Answer a page that came from a shared cache, and so has another browser's tokens.

    Args:
        proof: signs the tokens.
    """

    def __init__(self, *, proof: OriginProof) -> None:
        self.proof = proof

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        return self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        refused = refuse_other_methods(scope) or refuse_other_pages(Headers(scope=scope))
        if refused is not None:
            return refused
        cookies, tokens = proof_cookies(self.proof, request_info(scope))
        response = JSONResponse({"tokens": tokens}, headers=NO_STORE)
        response.raw_headers.extend(cookies)
        return response


def proof_cookies(
    proof: OriginProof, request: RequestInfo
) -> tuple[list[tuple[bytes, bytes]], list[str]]:
    """Return the Set-Cookie headers and the tokens for this browser's two ids.

    A well-formed id that arrived is kept, never rotated: tabs and apps on one host share it. Behind
    https both cookies are `Secure`.
    """
    arrived = read_cookies(request.headers)
    secure = "; Secure" if request.scheme == "https" else ""
    cookies, tokens = [], []
    for name, attributes in (
        (HOST_COOKIE, "Path=/; Secure; HttpOnly; SameSite=Lax"),
        (PLAIN_COOKIE, f"Path=/; HttpOnly; SameSite=Lax{secure}"),
    ):
        ids = [value for key, value in arrived if key == name and is_cookie_id(value)]
        cookie_id = ids[0] if ids else new_cookie_id()
        cookies.append((b"set-cookie", f"{name}={cookie_id}; {attributes}".encode()))
        tokens.append(proof.token(name, cookie_id))
    return cookies, tokens
