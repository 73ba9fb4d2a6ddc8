"""Trust forwarding and identity headers from trusted peers only.

It does not look at the path; the result is passed on as an `ArrivedRequest`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.diagnostics.handshake import header_value
from stlaunch.forwarded import Forwarded, TrustedProxies, resolve_forwarded
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import untrusted_forwarding
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import ArrivedRequest, with_request
from stlaunch.proxies.site import is_plain_socket
from stlaunch.urls.origin import HostPort, PublicUrl

_SEPARATORS = re.compile(rb"[^a-z0-9]")


class ForwardedHeadersMiddleware:
    """Put the browser's address, scheme and host into the scope, as trusted proxies report them.

    Args:
        app: the next layer.
        trusted: the peers whose headers are trusted.
        public_url: its scheme applies to requests that name its host.
        identity_headers: lower-case names of headers in which the app trusts the user's identity
            (`server.trustedUserHeaders`); removed from an untrusted peer's requests, and in any
            other spelling from all. A function, because Streamlit rereads them when its
            configuration changes.
        finding_log: takes the finding about a peer that should be trusted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted: TrustedProxies,
        public_url: PublicUrl | None,
        identity_headers: Callable[[], frozenset[bytes]],
        finding_log: FindingLog,
    ) -> None:
        self.app = app
        self.trusted = trusted
        self.public_url = public_url
        self.identity_headers = identity_headers
        self.finding_log = finding_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = tuple(scope["headers"])
        peer = _peer_of(scope)
        has_tls = scope["scheme"] in {"https", "wss"}
        forwarded = resolve_forwarded(
            headers=headers,
            peer=peer,
            scheme="https" if has_tls else "http",
            trusted=self.trusted,
            path=scope["path"],
        )
        if forwarded.ignored and not forwarded.is_peer_trusted and peer:
            finding = untrusted_forwarding(peer[0], forwarded.ignored)
            self.finding_log.post(finding, client=client_key(peer[0]))
        host = forwarded.host or HostPort.parse(header_value(headers, b"host") or "")
        scheme = "https" if has_tls else forwarded.scheme or self._scheme_of_public(host)
        request = ArrivedRequest(
            peer=peer[0] if peer else None,
            client=forwarded.client[0] if forwarded.client else None,
            path=scope["path"],
            scheme=scheme,
            host=host,
            forwarded=forwarded,
            headers=headers,
            app_address=_app_address(scope),
            app_socket=_app_socket(scope),
        )
        rewritten = with_request(scope, request)
        rewritten["headers"] = self._rewrite(headers, forwarded)
        rewritten["client"] = forwarded.client
        if scheme:
            secure = scheme == "https"
            plain, tls = ("ws", "wss") if scope["type"] == "websocket" else ("http", "https")
            rewritten["scheme"] = tls if secure else plain
        await self.app(rewritten, receive, send)

    def _scheme_of_public(self, host: HostPort | None) -> str | None:
        if self.public_url is None or host is None:
            return None
        is_public = host.host == self.public_url.origin.host
        return self.public_url.origin.scheme if is_public else None

    def _rewrite(
        self, headers: tuple[tuple[bytes, bytes], ...], forwarded: Forwarded
    ) -> list[tuple[bytes, bytes]]:
        names = self.identity_headers()
        kept = [*headers]
        if names:
            # An app may read `X_User` or `X.User` as `X-User`; a proxy that removes one may pass on
            # the other.
            alike = {_folded(name) for name in names}
            believed = names if forwarded.is_peer_trusted else frozenset()
            kept = [
                (name, value)
                for name, value in headers
                if _folded(name) not in alike or name.lower() in believed
            ]
        if forwarded.host is None:
            return kept
        host = (b"host", str(forwarded.host).encode("latin-1"))
        return [host, *((name, value) for name, value in kept if name != b"host")]


def _folded(name: bytes) -> bytes:
    return _SEPARATORS.sub(b"-", name.strip().lower())


def _app_socket(scope: Scope) -> str:
    path, port = scope.get("server") or ("", None)
    return path if port is None and is_plain_socket(path) else ""


def _app_address(scope: Scope) -> HostPort | None:
    host, port = scope.get("server") or ("", None)
    # A dual-stack socket shows an IPv4 connection in this form.
    host = str(host).removeprefix("::ffff:")
    return HostPort.parse(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") if port else None


def _peer_of(scope: Scope) -> tuple[str, int] | None:
    """Return the TCP peer; None only on a unix socket.

    uvicorn also reports no peer for a TCP connection that was reset at once; that must not be
    mistaken for a unix socket, which is trusted.
    """
    client = scope.get("client")
    if client:
        return str(client[0]), int(client[1])
    server = scope.get("server")
    is_unix = server is not None and server[1] is None
    return None if is_unix else ("unknown", 0)
