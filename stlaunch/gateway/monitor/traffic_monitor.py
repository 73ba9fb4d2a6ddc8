"""Watch requests on their way in, and notice what they say about the path: it changes nothing.

An accepted socket is not wrapped: how long it lives is seen from outside. Only the socket of a
page's own probe is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.handshake import header_value, list_values, read_handshake
from stlaunch.gateway.monitor.detectors import (
    Lifetimes,
    PageLoads,
    Replicas,
    idle_cut,
    prefix_mismatch,
    scheme_mismatch,
)
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.observed_routes import ObservedRoutes
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE, TOKEN_PREFIX
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.gateway.selfcheck.fixes import fix_of_code
from stlaunch.gateway.selfcheck.tickets import Key, ProbeArrivals, Tickets
from stlaunch.proxies.recognition import products_in
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin
from stlaunch.urls.streamlit_routes import SELF_CHECK, STREAM, TUNNEL, is_page

PROBE_COOKIE = "stlaunch_probe"
KNOWN_COOKIES = ("_streamlit_xsrf", PLAIN_COOKIE, HOST_COOKIE, PROBE_COOKIE)
_PAGE_SCRIPT = SELF_CHECK + "/page.js"
_SESSION = 3  # the place of a session id among Streamlit's subprotocols


class TrafficMonitorMiddleware:
    """Feed the detectors, and count requests by what happened to the prefix.

    Args:
        app: the next layer.
        finding_log: where findings go.
        learned: where it is kept how pages reach the app; each asks for the page script.
        instance: this process's id.
        public_paths: the public paths that were given.
        tickets: reads the tickets of probes on the app's own stream.
        arrivals: where those leave what arrived.
        ping_interval_s: how often a quiet socket is used.
        requests_by_mode: where requests are counted.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        finding_log: FindingLog,
        learned: ObservedRoutes,
        instance: str,
        public_paths: Sequence[BasePath],
        tickets: Tickets,
        arrivals: ProbeArrivals,
        ping_interval_s: Callable[[], int],
        requests_by_mode: Counter[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.finding_log = finding_log
        self.learned = learned
        self.public_paths = public_paths
        self.tickets = tickets
        self.arrivals = arrivals
        self.ping_interval_s = ping_interval_s
        self.clock = clock
        self.requests_by_mode = requests_by_mode
        self.pages = PageLoads()
        self.lifetimes = Lifetimes()
        self.replicas = Replicas(instance)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] == "http":
            self._note_request(scope)
        elif scope["type"] == "websocket" and request_info(scope).inner == STREAM:
            return self._socket(scope, receive, send)
        return self.app(scope, receive, send)

    def _note_request(self, scope: Scope) -> None:
        arrival = request_info(scope)
        self.requests_by_mode[str(arrival.mode)] += 1
        inner = arrival.inner
        if inner == STREAM:
            if not arrival.is_probe:
                self.pages.connected()
            key = self.tickets.read(scope["query_string"]) if scope["query_string"] else None
            if key is not None:
                self._keep(key, scope, arrival)
        elif inner is not None and inner.startswith(TUNNEL):
            if not arrival.is_probe:
                self.pages.connected()
        elif inner is not None and scope["method"] == "GET":
            self._page_request(inner, scope, arrival)

    def _page_request(self, inner: str, scope: Scope, arrival: RequestInfo) -> None:
        if inner == _PAGE_SCRIPT:
            self.pages.script_asked()
            self.learned.note(arrival)
            query = QueryParams(scope["query_string"][:128])
            self._post(self.replicas.script_asked(query.get("i", "")))
            self._check_scheme(arrival, _origin(arrival, b"referer"))
        elif is_page(inner) and _is_navigation(arrival):
            self._post(self.pages.served(self.clock(), arrival.base))
            self._post(prefix_mismatch(arrival.forwarded.prefix, self.public_paths))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = request_info(scope)
        key = self.tickets.read(scope["query_string"]) if scope["query_string"] else None
        if key is not None:
            self._keep(key, scope, arrival)
            await self.app(scope, receive, self._noting(key, send))
            return
        if arrival.is_probe:
            await self.app(scope, receive, send)
            return
        self.pages.connected()
        client = arrival.forwarded.client[0] if arrival.forwarded.client else ""
        origin = _origin(arrival, b"origin")
        if origin and arrival.host and origin.host == arrival.host.host:
            self._check_scheme(arrival, origin)
        protocols = list_values(arrival.headers, b"sec-websocket-protocol")
        ours = [item for item in protocols if not item.startswith(TOKEN_PREFIX)]
        if len(ours) >= _SESSION:
            ages = self.lifetimes.resumed(client, self.clock())
            if ages:
                fix = self._fix("STL604", arrival)
                self._post(idle_cut(ages, self.ping_interval_s(), fix))
        started = self.clock()
        try:
            await self.app(scope, receive, send)
        finally:
            now = self.clock()
            self.lifetimes.ended(client, now - started, now)

    def _check_scheme(self, arrival: RequestInfo, page: Origin | None) -> None:
        if page is not None and page.scheme == "https" and arrival.scheme != "https":
            self._post(scheme_mismatch(page, arrival.scheme, self._fix("STL402", arrival)))

    def _fix(self, code: str, arrival: RequestInfo) -> str:
        products = products_in(arrival.headers)
        site = Site(base_path=arrival.base or BasePath())
        return fix_of_code(code, products[0] if products else None, site)

    def _post(self, finding: Finding | None) -> None:
        if finding is not None:
            self.finding_log.post(finding)

    def _keep(self, key: Key, scope: Scope, arrival: RequestInfo) -> None:
        self.arrivals.keep(key, describe_handshake(scope, arrival))

    def _noting(self, key: Key, send: Send) -> Send:
        async def send_and_note(message: Message) -> None:
            if message["type"] == "websocket.accept":
                self.arrivals.keep(key, {"answer": 101, "protocol": message.get("subprotocol")})
            elif message["type"] == "websocket.http.response.start":
                self.arrivals.keep(key, {"answer": message["status"]})
            await send(message)

        return send_and_note


def describe_handshake(scope: Scope, arrival: RequestInfo) -> dict[str, object]:
    """Return what arrived of a probe's handshake, for the page that made it."""
    headers = {**scope, "headers": arrival.headers}
    handshake = read_handshake(headers, known_cookies=KNOWN_COOKIES)
    return {
        **handshake.as_dict(),
        "verdict": handshake.verdict,
        "missing": list(handshake.missing),
        "effective_host": str(arrival.host) if arrival.host else None,
        "scheme": arrival.scheme,
        "client": arrival.forwarded.client[0] if arrival.forwarded.client else None,
        "via": header_value(arrival.headers, b"via"),
        "proxies": [str(product) for product in products_in(arrival.headers)],
    }


def _origin(arrival: RequestInfo, name: bytes) -> Origin | None:
    text = header_value(arrival.headers, name)
    if not text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return Origin.parse(f"{parts.scheme}://{parts.netloc}")


def _is_navigation(arrival: RequestInfo) -> bool:
    """Tell a browser that opens the page from a monitor that asks whether it is there."""
    if header_value(arrival.headers, b"x-stlaunch") is not None:  # the self-check's own look at it
        return False
    accept = header_value(arrival.headers, b"accept") or ""
    agent = header_value(arrival.headers, b"user-agent") or ""
    return "text/html" in accept and agent.startswith("Mozilla/")
