"""Apply the same-origin rule to the app's WebSocket; `stlaunch.gateway.origin_policy` decides.

Runs before the app sees the handshake. Never reorder it below a layer that accepts sockets.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.handshake import (
    HandshakeStats,
    HandshakeVerdict,
    header_value,
    list_values,
    read_cookies,
    read_handshake,
)
from stlaunch.forwarded.headers import is_handed_on
from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import cookies_missing_in_frame, origin_rejected
from stlaunch.gateway.monitor.witnesses import witness_of
from stlaunch.gateway.origin_policy import (
    ACCEPTING,
    HOST_COOKIE,
    PLAIN_COOKIE,
    TOKEN_PREFIX,
    Evidence,
    OriginPolicy,
    OriginProof,
    Rule,
    decide,
)
from stlaunch.gateway.places import client_key
from stlaunch.gateway.refusal import deny_handshake, refusal
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.origin import Origin

_PROTOCOL = b"sec-websocket-protocol"
_MAX_LENGTH_LOGGED = 256
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


class SameOriginMiddleware:
    """Refuse sockets of other sites with 403; pass the others on with a matching Host.

    An accepted handshake reaches Streamlit with `Host` set to Origin's host, so that its own
    check, left on, agrees and never looks up its external address; and without our token. The
    socket itself is not wrapped.

    Args:
        app: the next layer.
        policy: who is accepted.
        proof: verifies tokens.
        handshakes: counts the attempts.
        finding_log: takes the finding about a refused one.
        app_site: knows the proxy's lines that keep Host.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: OriginPolicy,
        proof: OriginProof,
        handshakes: HandshakeStats,
        finding_log: FindingLog,
        app_site: AppSite,
    ) -> None:
        self.app = app
        self.policy = policy
        self.proof = proof
        self.handshakes = handshakes
        self.finding_log = finding_log
        self.app_site = app_site

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one handshake."""
        request = request_info(scope)
        rule = decide(self.policy, self._evidence(scope, request))
        handshake = read_handshake({**scope, "headers": request.headers})
        if rule in ACCEPTING:
            if request.is_probe:
                self.handshakes.transports["probe"] += 1
            elif not request.is_tunnel:
                self.handshakes.record(handshake.verdict, handshake)
                self.handshakes.transports["websocket"] += 1
            return self.app(_accepted(scope), receive, send)
        if request.is_probe or _is_nobodys(header_value(scope["headers"], b"origin")):
            self.handshakes.rejections["probe"] += 1
            finding = self._finding(scope, request)
        else:
            self.handshakes.record(
                HandshakeVerdict.ORIGIN_REJECTED,
                handshake,
                reason=rule,
                witness=witness_of(request, policy=self.policy, proof=self.proof),
                client=client_key(request.client or request.peer),
            )
            finding = self._log(rule, scope, request)
        # The finding itself stays in the log: a refused client learns nothing about the app.
        answer = refusal(403, finding.code, rule)
        return deny_handshake(answer, _POLICY_VIOLATION, scope, receive, send)

    def _evidence(self, scope: Scope, request: RequestInfo) -> Evidence:
        headers = scope["headers"]
        origin = header_value(headers, b"origin")
        parsed = Origin.parse(origin) if origin is not None else None
        cookies = read_cookies(headers)
        names_https = parsed is not None and parsed.scheme == "https"
        is_proven = self.proof.verify(
            cookies,
            [
                protocol.removeprefix(TOKEN_PREFIX)
                for protocol in list_values(headers, _PROTOCOL)
                if protocol.startswith(TOKEN_PREFIX)
            ],
            is_https=request.scheme == "https" or names_https,
        )
        return Evidence(
            origin=origin,
            host=request.host,
            scheme=request.scheme,
            is_websocket=not request.is_tunnel,
            has_cookie=any(name == b"cookie" for name, _ in headers),
            fetch_site=header_value(headers, b"sec-fetch-site"),
            has_fetch_metadata=any(name.startswith(b"sec-fetch-") for name, _ in headers),
            is_proven=is_proven,
            # A proxy may rewrite Host and add no header: only the page itself can distinguish them.
            is_local=is_proven and not is_handed_on(request.headers),
        )

    def _finding(self, scope: Scope, request: RequestInfo) -> Finding:
        origin = (header_value(scope["headers"], b"origin") or "")[:_MAX_LENGTH_LOGGED]
        forwarded = str(request.forwarded.host) if request.forwarded.host else None
        host = (header_value(request.headers, b"host") or "")[:_MAX_LENGTH_LOGGED]
        fixes = self.app_site.fixes(Need.HOST, request, Product.NGINX)
        return origin_rejected(origin, host, forwarded, fixes)

    def _log(self, rule: Rule, scope: Scope, request: RequestInfo) -> Finding:
        finding = self._finding(scope, request)
        client = client_key(request.client or request.peer)
        self.finding_log.post(finding, f" ({rule})", client=client)
        if _lacks_cookie(scope["headers"]):
            self.finding_log.post(cookies_missing_in_frame("Its page's proof"), client=client)
        return finding


def _is_nobodys(origin: str | None) -> bool:
    """Return whether no page can have this origin (RFC 6761 section 6.4): a check sends it.

    It is refused like any other, but not counted: it says nothing about the app's own pages.
    """
    parsed = Origin.parse(origin) if origin else None
    return parsed is not None and parsed.host.endswith(".invalid")


def _lacks_cookie(headers: list[tuple[bytes, bytes]]) -> bool:
    """Return whether the page had a token but the browser sent no cookie to go with it."""
    has_token = any(value.startswith(TOKEN_PREFIX) for value in list_values(headers, _PROTOCOL))
    names = {name for name, _ in read_cookies(headers)}
    return has_token and names.isdisjoint({HOST_COOKIE, PLAIN_COOKIE})


def _accepted(scope: Scope) -> Scope:
    origin = header_value(scope["headers"], b"origin") or ""
    # Exactly as sent: Streamlit compares the text after the scheme with Host.
    host = origin.partition("://")[2] if Origin.parse(origin) else ""
    headers = []
    for name, value in scope["headers"]:
        if name == _PROTOCOL:
            kept = [item for item in value.split(b",") if not _is_token(item)]
            if kept:
                headers.append((name, b",".join(kept)))
        elif name != b"host" or not host:
            headers.append((name, value))
    if host:
        headers.insert(0, (b"host", host.encode("latin-1")))
    protocols = [item for item in scope.get("subprotocols", []) if not _is_token(item.encode())]
    return {**scope, "headers": headers, "subprotocols": protocols}


def _is_token(item: bytes) -> bool:
    return item.strip().startswith(TOKEN_PREFIX.encode())
