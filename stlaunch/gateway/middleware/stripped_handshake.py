"""Answer handshakes that lost their upgrade on the way, and report what dropped it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.handshake import (
    Handshake,
    HandshakeStats,
    HandshakeVerdict,
    read_handshake,
)
from stlaunch.gateway.app_site import LOSE_UPGRADES, AppSite
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import upgrade_stripped
from stlaunch.gateway.monitor.witnesses import witness_of
from stlaunch.gateway.origin_policy import OriginPolicy, OriginProof
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.gateway.selfcheck.json_answer import PrintableJSONResponse
from stlaunch.proxies.needs import Need


class StrippedHandshakeEndpoint:
    """Answer a stripped handshake with 426 and the reason (RFC 9110 section 15.5.22).

    Bare Streamlit answers it with its index page and 200, and logs nothing. The log gets one
    clear line for each cause.

    Args:
        handshakes: counts the attempts.
        finding_log: takes the finding about the first of each kind.
        app_site: knows the lines that let the WebSocket through.
        policy: says how a page of the app has to prove itself.
        proof: verifies its token.
    """

    def __init__(
        self,
        *,
        handshakes: HandshakeStats,
        finding_log: FindingLog,
        app_site: AppSite,
        policy: OriginPolicy,
        proof: OriginProof,
    ) -> None:
        self.handshakes = handshakes
        self.finding_log = finding_log
        self.app_site = app_site
        self.policy = policy
        self.proof = proof

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one plain request for the stream."""
        request = request_info(scope)
        handshake = read_handshake({**scope, "headers": request.headers})
        verdict = handshake.verdict
        finding = self._finding(request, handshake, hides_host=True)
        if not request.is_probe:
            witness = witness_of(request, policy=self.policy, proof=self.proof)
            client = client_key(request.client or request.peer)
            self.handshakes.record(verdict, handshake, witness=witness, client=client)
            if verdict is not HandshakeVerdict.NOT_A_HANDSHAKE:
                via = f", HTTP/{handshake.http_version} from {request.peer or 'a Unix socket'}"
                self.finding_log.post(
                    self._finding(request, handshake),
                    via,
                    client=client_key(request.client or request.peer),
                )
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
        return PrintableJSONResponse(body, 426, headers)(scope, receive, send)

    def _finding(
        self, request: RequestInfo, handshake: Handshake, *, hides_host: bool = False
    ) -> Finding:
        fix = self.app_site.fix_text(Need.UPGRADE, request, *LOSE_UPGRADES, hides_host=hides_host)
        brief = self.app_site.brief_fix(Need.UPGRADE, request, "STL301")
        finding = upgrade_stripped(handshake.missing, fix, brief)
        return replace(finding, base_path=request.base.value if request.base else "")
