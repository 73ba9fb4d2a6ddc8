"""Watch incoming requests and report what they reveal about the path; change nothing.

An accepted socket is not wrapped: its lifetime can be measured from outside. Only the socket of a
page's own probe is wrapped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.handshake import header_value, list_values
from stlaunch.gateway.monitor.detectors import prefix_mismatch, scheme_mismatch
from stlaunch.gateway.monitor.findings import blocked_by_policy
from stlaunch.gateway.monitor.observed_routes import observed_route
from stlaunch.gateway.monitor.quiet_limits import Visitor, idle_cut
from stlaunch.gateway.origin_policy import TOKEN_PREFIX
from stlaunch.gateway.owner import owner_of
from stlaunch.gateway.page.blocked import is_report, read_blocked
from stlaunch.gateway.page.preloads import is_scripts_report
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo, is_for_upload, request_info
from stlaunch.gateway.selfcheck.fixes import fix_of_code
from stlaunch.gateway.selfcheck.masking import describe_handshake
from stlaunch.gateway.selfcheck.tickets import Key
from stlaunch.gateway.socket_pings import pings_of
from stlaunch.gateway.state import GatewayState
from stlaunch.proxies.recognition import products_in
from stlaunch.urls.origin import Origin
from stlaunch.urls.streamlit_routes import RequestKind

_SESSION = 3  # the position of the session id among Streamlit's subprotocols
_ROBOT = re.compile("compatible;|bot|spider|crawl|monitor|preview", re.IGNORECASE)
_FETCHED_EARLY = (b"sec-purpose", b"purpose")


class TrafficMonitorMiddleware:
    """Feed the detectors.

    Args:
        app: the next layer.
        state: the detectors, the log of findings, and the results of probes.
        ping_interval_s: how often a quiet socket is pinged.
        adapts_pings: whether that may change; not if the user set it.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        state: GatewayState,
        ping_interval_s: Callable[[], int],
        adapts_pings: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.state = state
        self.detectors = state.detectors
        self.ping_interval_s = ping_interval_s
        self.adapts_pings = adapts_pings
        self.clock = clock

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request, or one handshake."""
        request = request_info(scope)
        match request.kind:
            case RequestKind.STREAM if scope["type"] == "websocket":
                return self._socket(scope, receive, send)
            case RequestKind.STREAM:
                self._connected(request)
                key = self._ticket(scope)
                if key is not None:
                    self._keep(key, scope, request)
            case RequestKind.TUNNEL:
                self._connected(request)
            case RequestKind.PAGE_SCRIPT if scope["method"] == "GET" and not request.name:
                self._page_script(scope, request)
            case RequestKind.PAGE if scope["method"] == "GET" and _is_navigation(request):
                self._post(self.detectors.pages.served(self.clock(), request.base), request)
                prefix, known = request.forwarded.prefix, self.state.paths.known
                self._post(prefix_mismatch(prefix, known), request)
            case _:
                pass
        return self.app(scope, receive, send)

    def _page_script(self, scope: Scope, request: RequestInfo) -> None:
        if is_scripts_report(scope["query_string"]):
            return
        if is_report(scope["query_string"]):
            self._blocked(scope, request)
            return
        self.detectors.pages.script_asked()
        self.state.observed_routes.note(request)
        query = QueryParams(scope["query_string"][:128])
        if found := self.detectors.replicas.script_asked(query.get("i", "")):
            self._post(replace(found, fix=self._fix("STL702", request)), request)
        self._check_scheme(request, _origin(request, b"referer"))

    def _blocked(self, scope: Scope, request: RequestInfo) -> None:
        site = header_value(request.headers, b"sec-fetch-site")
        blocked = read_blocked(scope["query_string"])
        if blocked is not None and site in {None, "same-origin"}:
            self._post(blocked_by_policy(blocked, self._fix("STL810", request)), request)

    def _connected(self, request: RequestInfo) -> None:
        if not request.is_probe:
            self.detectors.pages.connected()

    def _ticket(self, scope: Scope) -> Key | None:
        query = scope["query_string"]
        return self.state.tickets.read(query) if query else None

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_info(scope)
        key = self._ticket(scope)
        if key is not None:
            self._keep(key, scope, request)
            await self.app(scope, receive, self._noting(key, send))
            return
        if request.is_probe or is_for_upload(request.headers):
            await self.app(scope, receive, send)
            return
        self.detectors.pages.connected()
        origin = _origin(request, b"origin")
        if origin and request.host and origin.host == request.host.host:
            self._check_scheme(request, origin)
        visitor = Visitor(
            browser=owner_of(scope),
            address=client_key(request.client or request.peer),
            route=observed_route(request),
        )
        self._decide_pings(scope, request, visitor)
        started, pings = self.clock(), pings_of(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            now = self.clock()
            used_at = pings.used_at if pings is not None else started
            self.detectors.quiet_limits.ended(visitor, now - used_at, now)

    def _decide_pings(self, scope: Scope, request: RequestInfo, visitor: Visitor) -> None:
        """Ping this socket as often as its route needs, unless the user set the interval."""
        limits, interval_s, pings = self.detectors.quiet_limits, self.ping_interval_s(), None
        ping_s = limits.ping_s(visitor)
        if self.adapts_pings and (pings := pings_of(scope)) and ping_s and ping_s < interval_s:
            pings.interval_s = ping_s
        protocols = list_values(request.headers, b"sec-websocket-protocol")
        ours = [item for item in protocols if not item.startswith(TOKEN_PREFIX)]
        cut = limits.resumed(visitor, self.clock()) if len(ours) >= _SESSION else ()
        learned_s = limits.ping_s(visitor) if pings else None
        if cut and (learned_s is None or learned_s != ping_s):  # else it is known, and adapted to
            is_set, fix = not self.adapts_pings, self._fix("STL604", request)
            self._post(idle_cut(cut, interval_s, learned_s, is_set=is_set, fix=fix), request)

    def _check_scheme(self, request: RequestInfo, page: Origin | None) -> None:
        if page is not None and page.scheme == "https" and request.scheme != "https":
            fix = self._fix("STL402", request)
            self._post(scheme_mismatch(page, request.scheme, fix), request)

    def _fix(self, code: str, request: RequestInfo) -> str:
        products = products_in(request.headers)
        site = self.state.app_site.seen_by(request)
        return fix_of_code(code, products[0] if products else None, site)

    def _post(self, finding: Finding | None, request: RequestInfo) -> None:
        if finding is not None:
            finding = replace(finding, base_path=request.base.value if request.base else "")
            client = client_key(request.client or request.peer)
            self.state.finding_log.post(finding, client=client)

    def _keep(self, key: Key, scope: Scope, request: RequestInfo) -> None:
        self.state.received_probes.keep(key, describe_handshake(scope, request))

    def _noting(self, key: Key, send: Send) -> Send:
        async def send_and_note(message: Message) -> None:
            if message["type"] == "websocket.accept":
                self.state.received_probes.keep(
                    key, {"answer": 101, "protocol": message.get("subprotocol")}
                )
            elif message["type"] == "websocket.http.response.start":
                self.state.received_probes.keep(key, {"answer": message["status"]})
            await send(message)

        return send_and_note


def _origin(request: RequestInfo, name: bytes) -> Origin | None:
    text = header_value(request.headers, name)
    if not text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return Origin.parse(f"{parts.scheme}://{parts.netloc}")


def _is_navigation(request: RequestInfo) -> bool:
    """Return whether a browser opens the page, and so will ask for its script and connect.

    Uptime monitors, crawlers and link previews want the page alone, and so may a prefetch.
    """
    if header_value(request.headers, b"x-stlaunch") is not None:  # the self-check's own request
        return False
    if any("prefetch" in (header_value(request.headers, name) or "") for name in _FETCHED_EARLY):
        return False
    accept = header_value(request.headers, b"accept") or ""
    agent = header_value(request.headers, b"user-agent") or ""
    is_browser = agent.startswith("Mozilla/") and _ROBOT.search(agent) is None
    return is_browser and "text/html" in accept
