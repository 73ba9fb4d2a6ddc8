"""Answer the requests below `{base}/_stlaunch/`; everything else goes to the next layer.

Each endpoint works whether the proxy strips the prefix or keeps it. No CORS header ever goes out
here, so no other site can read an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.arrival import Arrival, arrival_of
from stlaunch.handshake import HandshakeLedger
from stlaunch.learned import Learned
from stlaunch.public_paths import PublicPaths
from stlaunch.readiness import Readiness
from stlaunch.same_origin import OriginProof
from stlaunch.selfcheck.page_script import page_script
from stlaunch.selfcheck.report import Instance, build_report
from stlaunch.streamlit_routes import SELF_CHECK

_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_TOKEN_HEADERS = {**_NO_STORE, "cross-origin-resource-policy": "same-origin"}

ProofCookies: TypeAlias = Callable[
    [OriginProof, tuple[tuple[bytes, bytes], ...]], tuple[list[tuple[bytes, bytes]], list[str]]
]


class SelfCheckMiddleware:
    """Serve health, ready, check, token and the page script.

    Args:
        app: the next layer.
        instance: this process.
        readiness: set here while the app's lifespan runs.
        ledger: the handshakes so far.
        paths: the public paths.
        proof: signs tokens.
        proof_cookies: gives cookies and tokens for one browser.
        learned: what the first requests told.
        is_diagnostic: whether `check` is served (`--self-check`).
        sends_proof: whether `token` is served.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        instance: Instance,
        readiness: Readiness,
        ledger: HandshakeLedger,
        paths: PublicPaths,
        proof: OriginProof,
        proof_cookies: ProofCookies,
        learned: Learned | None = None,
        is_diagnostic: bool = True,
        sends_proof: bool = True,
    ) -> None:
        self.app = app
        self.instance = instance
        self.readiness = readiness
        self.ledger = ledger
        self.paths = paths
        self.proof = proof
        self.proof_cookies = proof_cookies
        self.learned = learned or Learned()
        self.is_diagnostic = is_diagnostic
        self.sends_proof = sends_proof

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        name = self._endpoint(arrival_of(scope)) if scope["type"] == "http" else None
        if name is None:
            await self.app(scope, receive, send)
            return
        await self._respond(name, scope)(scope, receive, send)

    def _endpoint(self, arrival: Arrival) -> str | None:
        for path in (arrival.inner or "", arrival.rest):
            if path == SELF_CHECK or path.startswith(SELF_CHECK + "/"):
                return path.removeprefix(SELF_CHECK).strip("/")
        return None

    def _respond(self, name: str, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD", **_NO_STORE})
        headers = Headers(scope=scope)
        match name:
            case "health":
                return PlainTextResponse("ok", headers=_NO_STORE)
            case "ready":
                is_ready = self.readiness.is_ready
                body = "ready" if is_ready else f"not ready: {self.readiness.reason}"
                return PlainTextResponse(body, 200 if is_ready else 503, _NO_STORE)
            case "page.js":
                return page_script(headers)
            case "token" if self.sends_proof:
                return self._token(headers, arrival_of(scope))
            case "check" if self.is_diagnostic:
                report = build_report(
                    instance=self.instance,
                    readiness=self.readiness,
                    ledger=self.ledger,
                    paths=self.paths,
                    learned=self.learned,
                    arrival=arrival_of(scope),
                    scope=scope,
                )
                return JSONResponse(report, headers=_NO_STORE)
            case _:
                return PlainTextResponse("Not Found", 404, _NO_STORE)

    def _token(self, headers: Headers, arrival: Arrival) -> Response:
        # The custom header keeps forms, images and scripts of other sites out: they cannot send
        # it without a preflight, and no preflight is ever answered here.
        is_same_origin = headers.get("sec-fetch-site") in {None, "same-origin"}
        if "x-stlaunch" not in headers or not is_same_origin:
            return PlainTextResponse("Forbidden", 403, _TOKEN_HEADERS)
        cookies, tokens = self.proof_cookies(self.proof, arrival.headers)
        response = JSONResponse({"tokens": tokens}, headers=_TOKEN_HEADERS)
        response.raw_headers.extend(cookies)
        return response

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_note(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.readiness.is_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            self.readiness.is_started = False
