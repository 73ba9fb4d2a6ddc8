"""Build the JSON report `stlaunch.selfcheck/1` about this instance and the asking request.

Its schema is `schema.json`, next to this file. Nothing in it identifies another client: see
`stlaunch.diagnostics.handshake` for what is kept, and `_last` for what is shown to whom.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.handshake import Handshake, HandshakeVerdict
from stlaunch.diagnostics.protections import protection_off
from stlaunch.diagnostics.ranking import rank
from stlaunch.diagnostics.severity import Severity
from stlaunch.gateway.monitor.detectors import prefix_mismatch
from stlaunch.gateway.monitor.finding_log import LoggedFinding
from stlaunch.gateway.monitor.findings import (
    memory_almost_full,
    untrusted_forwarding,
)
from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo, request_info
from stlaunch.gateway.selfcheck.access import Viewer
from stlaunch.gateway.selfcheck.masking import describe_request
from stlaunch.gateway.state import GatewayState
from stlaunch.process.memory import Memory, read_memory
from stlaunch.proxies.site import SOME_HOST, SOME_SOCKET


def build_report(
    state: GatewayState, *, scope: Mapping[str, Any], viewer: Viewer
) -> dict[str, Any]:
    """Return the report for the client that asks."""
    now = time.monotonic()
    request, handshakes, paths = request_info(scope), state.handshakes, state.paths
    site = state.app_site.seen_by(request, hides_host=viewer is not Viewer.OPERATOR)
    memory = read_memory()
    return {
        "schema": "stlaunch.selfcheck/1",
        "version": 1,
        "verdict": handshakes.summary(client_key(request.client or request.peer)),
        "ready": state.readiness.is_ready,
        "instance": {
            "id": state.instance.id,
            "uptime_s": round(now - state.instance.begun_at, 1),
            "versions": dict(state.instance.versions),
        },
        "app": {
            "upstream": site.upstream if request.app_address or request.app_socket else None,
            "max_upload_mb": site.max_upload_mb,
            "ping_interval_s": site.ping_interval_s,
        },
        "handshakes": {
            "total": sum(handshakes.counts.values()),
            "intact": handshakes.counts[HandshakeVerdict.INTACT],
            "stripped": handshakes.stripped,
            "rejected": handshakes.counts[HandshakeVerdict.ORIGIN_REJECTED],
            "by_verdict": {
                str(verdict): handshakes.counts[verdict] for verdict in HandshakeVerdict
            },
            "by_transport": dict(handshakes.transports),
            "rejections_by_reason": dict(handshakes.rejections),
            "last": {
                str(verdict): {"age_s": round(now - at, 1), **_last(handshake, viewer)}
                for verdict, (at, handshake) in handshakes.last.items()
            },
        },
        "requests": {"by_mode": dict(state.requests_by_mode)},
        "base_path": {
            "known": [path.with_slash for path in paths.known],
            "learned": [
                path.with_slash
                for path in paths.learned.paths
                if path == request.public_path or viewer is Viewer.OPERATOR
            ],
            "this_request": request.public_path.with_slash
            if request.public_path is not None
            else None,
            "mode": request.mode,
        },
        "learned": state.observed_routes.as_list(request),
        "request": describe_request(scope, request),
        "memory": memory.as_dict(),
        "findings": _findings(state, request, viewer, memory),
    }


def _last(handshake: Handshake, viewer: Viewer) -> dict[str, Any]:
    """Return one handshake; only the operator sees whose it was."""
    shown = handshake.for_others()
    if viewer is Viewer.OPERATOR:
        shown["cookie_names"] = list(handshake.cookie_names)
        shown |= {"host": handshake.host, "origin": handshake.origin}
    return shown


def _findings(
    state: GatewayState, request: RequestInfo, viewer: Viewer, memory: Memory
) -> list[dict[str, Any]]:
    """Return the findings since the start, and those of this request, ranked."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    now, is_operator = state.finding_log.clock(), viewer is Viewer.OPERATOR
    of_process = [protection_off(key) for key in state.protections_off]
    of_process += [memory_almost_full(memory)] if memory.is_almost_full else []
    for finding in (*of_process, *_of_request(state, request)):
        found[finding.code, finding.title] = {
            **finding.as_dict(),
            "count": 1,
            "first_s": 0.0,
            "last_s": 0.0,
        }
    own = {code for code, _ in found}
    for notice in state.finding_log.notices:
        if notice.finding.names_others and notice.finding.code in own and not is_operator:
            continue  # the same problem in this very request says more
        shown = notice.finding if is_operator else _for_client(notice.finding, request)
        item = found.get((shown.code, shown.title)) or {**shown.as_dict(), "count": 0}
        found[shown.code, shown.title] = item | _counted(item, notice, now)
    return sorted(found.values(), key=lambda item: rank(item["code"], Severity(item["severity"])))


def _for_client(finding: Finding, request: RequestInfo) -> Finding:
    """Leave out other clients, and the machine that the app is on."""
    own_path = request.base.value if request.base is not None else ""
    is_foreign = finding.names_others or finding.base_path not in {"", own_path}
    shown = finding.without_others() if is_foreign else finding
    if request.app_socket:
        return replace(shown, fix=shown.fix.replace(request.app_socket, SOME_SOCKET))
    if request.app_address is None:
        return shown
    return replace(shown, fix=shown.fix.replace(request.app_address.host, SOME_HOST))


def _counted(item: dict[str, Any], notice: LoggedFinding, now: float) -> dict[str, Any]:
    first, last = round(now - notice.first_at, 1), round(now - notice.last_at, 1)
    return {
        "count": item["count"] + notice.count,
        "first_s": max(first, item.get("first_s", first)),
        "last_s": min(last, item.get("last_s", last)),
    }


def _of_request(state: GatewayState, request: RequestInfo) -> list[Finding]:
    forwarded = request.forwarded
    found = [prefix_mismatch(forwarded.prefix, state.paths.known)]
    if forwarded.ignored and not forwarded.is_peer_trusted and request.peer:
        found.append(untrusted_forwarding(request.peer, forwarded.ignored))
    return [finding for finding in found if finding is not None]
