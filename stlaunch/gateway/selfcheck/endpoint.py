"""Answer the requests below `{base}/_stlaunch/` about the app's own connection.

Each endpoint works whether the proxy strips the prefix or keeps it. No CORS header ever goes out
here, so no other site can read an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from stlaunch.gateway.places import client_key
from stlaunch.gateway.refusal import (
    NO_STORE,
    not_found,
    refusal,
    refuse_other_methods,
    refuse_other_pages,
)
from stlaunch.gateway.request import request_info
from stlaunch.gateway.selfcheck.access import AccessPolicy, Viewer
from stlaunch.gateway.selfcheck.browser_page import page, page_file, prefers
from stlaunch.gateway.selfcheck.fixes import describe_fixes, describe_header_problems
from stlaunch.gateway.selfcheck.json_answer import PrintableJSONResponse
from stlaunch.gateway.selfcheck.metrics import MEDIA_TYPE, render_metrics
from stlaunch.gateway.selfcheck.probes import Probes
from stlaunch.gateway.selfcheck.report import build_report
from stlaunch.gateway.selfcheck.text import render_text
from stlaunch.gateway.state import GatewayState
from stlaunch.proxies.needs import Product
from stlaunch.proxies.recognition import answer_headers, products_in
from stlaunch.settings.model import SelfCheck
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_FOR_EVERYBODY = frozenset({"health", "ready"})
_DIAGNOSTIC = frozenset({"", *DIAGNOSTICS, "diagnosis.js", "diagnosis.css"})
_OWN_PAGE_ONLY = frozenset({"ticket", "arrived", "sink"})
_SHELL = frozenset({"", "diagnosis.js", "diagnosis.css"})
_TOO_MANY = 429


class SelfCheckEndpoint:
    """Serve health and ready to everybody, the rest to those whom the access policy allows.

    Args:
        state: what this process knows.
        access_policy: who may see what.
        max_upload_bytes: `server.maxUploadSize`.
        ping_interval_s: how often a quiet socket is pinged.
    """

    def __init__(
        self,
        *,
        state: GatewayState,
        access_policy: AccessPolicy,
        max_upload_bytes: Callable[[], int],
        ping_interval_s: Callable[[], int],
    ) -> None:
        self.state = state
        self.access_policy = access_policy
        self.probes = Probes(state=state, max_upload_bytes=max_upload_bytes)
        self.ping_interval_s = ping_interval_s

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, or one handshake."""
        name = request_info(scope).name
        if scope["type"] == "websocket" and name != "ws":
            return not_found(scope, receive, send)
        if name in _FOR_EVERYBODY:
            return self._state(name, scope)(scope, receive, send)
        if name not in _DIAGNOSTIC or self.access_policy.access is SelfCheck.OFF:
            return not_found(scope, receive, send)
        viewer = self.access_policy.viewer(request_info(scope), Headers(scope=scope))
        return self._diagnose(name, viewer, scope, receive, send)

    def _state(self, name: str, scope: Scope) -> Response:
        """Answer health and readiness probes, whatever `--self-check` says."""
        refused = refuse_other_methods(scope)
        if refused is not None:
            return refused
        readiness = self.state.readiness
        if name == "health":
            return PlainTextResponse("ok", headers=NO_STORE)
        body = "ready" if readiness.is_ready else f"not ready: {readiness.reason}"
        return PlainTextResponse(body, 200 if readiness.is_ready else 503, NO_STORE)

    async def _diagnose(
        self, name: str, viewer: Viewer, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await self.probes.socket(scope, receive, send, viewer)
            return
        answer = self._refusal(name, viewer, scope)
        if answer is not None and answer.status_code == _TOO_MANY:
            await self.state.rate_limiter.pause()
        if answer is None and name == "sink" and scope["method"] in {"POST", "PUT"}:
            await self.probes.sink(scope, receive, send, viewer)
            return
        answer = answer or refuse_other_methods(scope)
        if answer is None and name == "drip":
            await self.probes.drip(scope, receive, send, viewer)
            return
        answer = answer or self._answer(name, viewer, scope)
        await answer(scope, receive, send)

    def _refusal(self, name: str, viewer: Viewer, scope: Scope) -> Response | None:
        # The page itself contains no facts; it asks for the token.
        is_shell = name in _SHELL and self.access_policy.access is SelfCheck.TOKEN
        if viewer is Viewer.NOBODY and not is_shell:
            if self.access_policy.guesses.are_too_many(request_info(scope).client):
                return refusal(_TOO_MANY, "STL603", "too many wrong tokens in this minute")
            return _not_admitted(self.access_policy.access)
        if not self.probes.takes_request(request_info(scope), viewer):
            return refusal(_TOO_MANY, "STL603", "too many requests in ten seconds")
        return refuse_other_pages(Headers(scope=scope)) if name in _OWN_PAGE_ONLY else None

    def _answer(self, name: str, viewer: Viewer, scope: Scope) -> Response:
        match name:
            case "" if request_info(scope).app_path.endswith("/"):
                return page()
            case "":  # relative addresses of the page would miss it
                return Response(status_code=307, headers={"location": "_stlaunch/", **NO_STORE})
            case "check":
                return self._check(viewer, scope)
            case "metrics":
                text = render_metrics(self.state)
                return Response(text, headers={**NO_STORE, "content-type": MEDIA_TYPE})
            case "fixes":
                return self._fixes(viewer, scope)
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
        report = build_report(self.state, scope=scope, viewer=viewer)
        request = request_info(scope)
        client = client_key(request.client or request.peer)
        is_broken = self.state.handshakes.is_broken(client) or not report["ready"]
        status = 503 if "strict" in query and is_broken else 200
        if kind == "text":
            return PlainTextResponse(render_text(report), status, headers)
        return PrintableJSONResponse(report, status, headers)

    def _fixes(self, viewer: Viewer, scope: Scope) -> Response:
        """Answer with fixes for `?product=`, or for what `?server=`, `?via=` and so on reveal."""
        query = QueryParams(scope["query_string"])
        request = request_info(scope)
        wanted = query.get("product", "")
        product = Product(wanted) if wanted in set(Product) else None
        if product is None and wanted != "none":
            seen = [
                (name.encode(), query[name][:200].encode("latin-1", "replace"))
                for name in answer_headers()
                if name in query
            ]
            found = products_in([*seen, *request.headers])
            product = found[0] if found else None
        hides_host = viewer is not Viewer.OPERATOR
        site = self.state.app_site.seen_by(request, hides_host=hides_host)
        body = describe_fixes(product, site) | {
            "max_upload_bytes": self.probes.max_upload_bytes(),
            "ping_interval_s": self.ping_interval_s(),
            "header_problems": describe_header_problems(query),
        }
        return PrintableJSONResponse(body, headers=NO_STORE)


def _not_admitted(access: SelfCheck) -> Response:
    if access is SelfCheck.TOKEN:
        text = "Send the self-check token: Authorization: Bearer TOKEN, or X-Stlaunch-Token.\n"
        return PlainTextResponse(text, 401, {"www-authenticate": "Bearer", **NO_STORE})
    text = "The self-check only answers on this machine (--self-check local).\n"
    return PlainTextResponse(text, 403, NO_STORE)
