"""Answer the requests below `{base}/_stlaunch/`; everything else goes to the next layer.

Each endpoint works whether the proxy strips the prefix or keeps it. No CORS header ever goes out
here, so no other site can read an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.origin_policy import OriginProof
from stlaunch.gateway.page.script import page_script
from stlaunch.gateway.refusal import NO_STORE, refusal
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.gateway.selfcheck.access import AccessPolicy, Viewer
from stlaunch.gateway.selfcheck.browser_page import page, page_file, prefers
from stlaunch.gateway.selfcheck.fixes import describe_fixes
from stlaunch.gateway.selfcheck.metrics import MEDIA_TYPE, render_metrics
from stlaunch.gateway.selfcheck.probes import Probes
from stlaunch.gateway.selfcheck.report import BROKEN, Facts, build_report
from stlaunch.gateway.selfcheck.text import render_text
from stlaunch.proxies.needs import Product
from stlaunch.proxies.recognition import products_in
from stlaunch.proxies.site import Site
from stlaunch.settings.model import SelfCheck
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import SELF_CHECK

_DIAGNOSTIC = frozenset(
    {"", "check", "metrics", "fixes", "echo", "ticket", "arrived", "ws", "sink", "drip"}
    | {"diagnosis.js", "diagnosis.css"}
)
_OWN_PAGE_ONLY = frozenset({"ticket", "arrived", "sink"})
_SHELL = frozenset({"", "diagnosis.js", "diagnosis.css"})

ProofCookies: TypeAlias = Callable[
    [OriginProof, tuple[tuple[bytes, bytes], ...]], tuple[list[tuple[bytes, bytes]], list[str]]
]


class SelfCheckMiddleware:
    """Serve health and ready to everybody, the rest to whom the access_policy lets in.

    Args:
        app: the next layer.
        facts: what this process knows; its readiness is set here while the app's lifespan runs.
        access_policy: who may see what.
        probes: the probe endpoints.
        proof: signs tokens of the origin proof.
        proof_cookies: gives cookies and tokens for one browser.
        sends_proof: whether `token` is served.
        ping_interval_s: how often a quiet socket is used.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        facts: Facts,
        access_policy: AccessPolicy,
        probes: Probes,
        proof: OriginProof,
        proof_cookies: ProofCookies,
        sends_proof: bool = True,
        ping_interval_s: Callable[[], int] = lambda: 30,
    ) -> None:
        self.app = app
        self.facts = facts
        self.access_policy = access_policy
        self.probes = probes
        self.proof = proof
        self.proof_cookies = proof_cookies
        self.sends_proof = sends_proof
        self.ping_interval_s = ping_interval_s

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] == "lifespan":
            return self._lifespan(scope, receive, send)
        name = self._endpoint(request_info(scope))
        if name is None or (scope["type"] == "websocket" and name != "ws"):
            return self.app(scope, receive, send)
        if name not in _DIAGNOSTIC:
            return self._basic(name, scope)(scope, receive, send)
        if self.access_policy.access is SelfCheck.OFF:
            return _absent(scope, receive, send)
        viewer = self.access_policy.viewer(request_info(scope), Headers(scope=scope))
        return self._diagnose(name, viewer, scope, receive, send)

    def _endpoint(self, arrival: RequestInfo) -> str | None:
        for path in (arrival.inner or "", arrival.rest):
            if path == SELF_CHECK or path.startswith(SELF_CHECK + "/"):
                return path.removeprefix(SELF_CHECK).strip("/")
        return None

    def _basic(self, name: str, scope: Scope) -> Response:
        """Answer what the app's page and its guards need, whatever `--self-check` says."""
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD", **NO_STORE})
        headers = Headers(scope=scope)
        match name:
            case "health":
                return PlainTextResponse("ok", headers=NO_STORE)
            case "ready":
                is_ready = self.facts.readiness.is_ready
                body = "ready" if is_ready else f"not ready: {self.facts.readiness.reason}"
                return PlainTextResponse(body, 200 if is_ready else 503, NO_STORE)
            case "page.js":
                return page_script(headers)
            case "token" if self.sends_proof:
                return self._token(headers, request_info(scope))
            case _:
                return PlainTextResponse("Not Found", 404, NO_STORE)

    async def _diagnose(
        self, name: str, viewer: Viewer, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await self.probes.socket(scope, receive, send, viewer)
            return
        # The page itself holds no facts; it asks for the token.
        is_shell = name in _SHELL and self.access_policy.access is SelfCheck.TOKEN
        answer: Response | None = None
        if viewer is Viewer.NOBODY and not is_shell:
            answer = _not_admitted(self.access_policy.access)
        elif not self.probes.takes_request(request_info(scope)):
            answer = refusal(429, "STL603", "too many requests in this minute")
        elif name in _OWN_PAGE_ONLY and not _is_own_page(Headers(scope=scope)):
            answer = refusal(403, "STL503", "not from the app's own page: send X-Stlaunch: 1")
        elif name == "sink" and scope["method"] in {"POST", "PUT"}:
            await self.probes.sink(scope, receive, send)
        elif scope["method"] not in {"GET", "HEAD"}:
            answer = PlainTextResponse("Method Not Allowed", 405, NO_STORE)
        elif name == "drip":
            await self.probes.drip(scope, receive, send)
        else:
            answer = self._answer(name, viewer, scope)
        if answer is not None:
            await answer(scope, receive, send)

    def _answer(self, name: str, viewer: Viewer, scope: Scope) -> Response:
        match name:
            case "" if scope["path"].endswith("/"):
                return page()
            case "":  # relative addresses of the page would miss it
                return Response(status_code=307, headers={"location": "_stlaunch/", **NO_STORE})
            case "check":
                return self._check(viewer, scope)
            case "metrics":
                text = render_metrics(self.facts, probes_inside=self.probes.rate_limiter.inside)
                return Response(text, headers={**NO_STORE, "content-type": MEDIA_TYPE})
            case "fixes":
                return self._fixes(scope)
            case "echo" | "ticket" | "arrived" | "ws" | "sink":
                return self.probes.answer(name, scope)
            case _:
                return page_file(name) or PlainTextResponse("Not Found", 404, NO_STORE)

    def _check(self, viewer: Viewer, scope: Scope) -> Response:
        query = QueryParams(scope["query_string"])
        kind = "json" if "json" in query else prefers(Headers(scope=scope))
        headers = {**NO_STORE, "vary": "accept"}
        if kind == "html":
            answer = page()
            answer.headers["vary"] = "accept"
            return answer
        report = build_report(self.facts, arrival=request_info(scope), scope=scope, viewer=viewer)
        is_broken = report["verdict"] in BROKEN or not report["ready"]
        status = 503 if "strict" in query and is_broken else 200
        if kind == "text":
            return PlainTextResponse(render_text(report), status, headers)
        return JSONResponse(report, status, headers)

    def _fixes(self, scope: Scope) -> Response:
        """Answer fixes for `?product=`, or for what `?server=` and `?via=` give away."""
        query = QueryParams(scope["query_string"])
        arrival = request_info(scope)
        wanted = query.get("product", "")
        product = Product(wanted) if wanted in set(Product) else None
        if product is None and wanted != "none":
            seen = [
                (name.encode(), query[name][:200].encode("latin-1", "replace"))
                for name in ("server", "via", "cf-ray", "x-amzn-trace-id", "x-varnish")
                if name in query
            ]
            found = products_in([*seen, *arrival.headers])
            product = found[0] if found else None
        site = Site(
            base_path=arrival.base or BasePath(),
            max_upload_mb=max(1, round(self.probes.max_upload_bytes() / 1_000_000)),
            ping_interval_s=self.ping_interval_s(),
        )
        body = describe_fixes(product, site) | {
            "max_upload_bytes": self.probes.max_upload_bytes(),
            "ping_interval_s": self.ping_interval_s(),
        }
        return JSONResponse(body, headers=NO_STORE)

    def _token(self, headers: Headers, arrival: RequestInfo) -> Response:
        # The custom header keeps forms, images and scripts of other sites out: they cannot send
        # it without a preflight, and no preflight is ever answered here.
        if not _is_own_page(headers):
            return PlainTextResponse("Forbidden", 403, NO_STORE)
        cookies, tokens = self.proof_cookies(self.proof, arrival.headers)
        response = JSONResponse({"tokens": tokens}, headers=NO_STORE)
        response.raw_headers.extend(cookies)
        return response

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        readiness = self.facts.readiness

        async def send_and_note(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                readiness.is_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            readiness.is_started = False


def _is_own_page(headers: Headers) -> bool:
    return "x-stlaunch" in headers and headers.get("sec-fetch-site") in {None, "same-origin"}


def _not_admitted(access: SelfCheck) -> Response:
    if access is SelfCheck.TOKEN:
        text = "Send the self-check token: Authorization: Bearer TOKEN, or X-Stlaunch-Token.\n"
        return PlainTextResponse(text, 401, {"www-authenticate": "Bearer", **NO_STORE})
    text = "The self-check answers on this machine only (--self-check local).\n"
    return PlainTextResponse(text, 403, NO_STORE)


async def _absent(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await PlainTextResponse("Not Found", 404, NO_STORE)(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.close", "code": 1008})
