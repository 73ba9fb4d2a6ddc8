"""See the handshakes that lost their upgrade, and say so; a good one passes untouched."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.diagnostics.handshake import HandshakeStats, HandshakeVerdict, read_handshake
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import upgrade_stripped
from stlaunch.gateway.request import request_info
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import STREAM


class HandshakeRecorderMiddleware:
    """Answer a stripped handshake with 426 and the reason (RFC 9110 section 15.5.22).

    Bare Streamlit answers it with its index page and 200, and logs nothing. The log gets one
    clear line for each cause.

    Args:
        app: the next layer.
        handshake_stats: where attempts are counted.
        finding_log: where a stripped one is noticed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        handshake_stats: HandshakeStats,
        finding_log: FindingLog | None = None,
    ) -> None:
        self.app = app
        self.handshake_stats = handshake_stats
        self.finding_log = finding_log or FindingLog()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or request_info(scope).inner != STREAM:
            return self.app(scope, receive, send)
        arrival = request_info(scope)
        handshake = read_handshake({**scope, "headers": arrival.headers})
        verdict = handshake.verdict
        finding = upgrade_stripped(arrival.base or BasePath(), handshake.missing)
        is_first = not arrival.is_probe and self.handshake_stats.record(verdict, handshake)
        if is_first and verdict is not HandshakeVerdict.NOT_A_HANDSHAKE:
            via = f", HTTP/{handshake.http_version} from {arrival.peer or 'a unix socket'}"
            self.finding_log.post(finding, via)
        body = {
            "schema": "stlaunch.handshake/1",
            "verdict": verdict,
            "missing": handshake.missing,
            "arrived": {
                "http_version": handshake.http_version,
                "upgrade": handshake.upgrade,
                "connection": handshake.connection,
            },
            "finding": finding.as_dict(),
        }
        headers = {"cache-control": "no-store"}
        if handshake.http_version.startswith("1"):  # RFC 9113 section 8.2.2 forbids them later
            headers |= {"upgrade": "websocket", "connection": "Upgrade"}
        return JSONResponse(body, 426, headers)(scope, receive, send)
