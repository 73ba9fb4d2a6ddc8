"""The JSON report `stlaunch.selfcheck/1`: facts about this instance and the request that asks.

Its schema is `schema.json`, beside this file. Nothing in it identifies another client: see
`stlaunch.diagnostics.handshake` for what is kept, and `_last` for what of it is shown to whom.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.handshake import Handshake, HandshakeStats, HandshakeVerdict
from stlaunch.gateway.monitor.detectors import prefix_mismatch
from stlaunch.gateway.monitor.finding_log import FindingLog, LoggedFinding
from stlaunch.gateway.monitor.findings import memory_almost_full, untrusted_forwarding
from stlaunch.gateway.monitor.observed_routes import ObservedRoutes
from stlaunch.gateway.request import RequestInfo
from stlaunch.gateway.selfcheck.access import Viewer
from stlaunch.gateway.selfcheck.masking import describe_request
from stlaunch.gateway.state import Readiness
from stlaunch.process.memory import Memory, read_memory
from stlaunch.urls.public_paths import PublicPaths

BROKEN = frozenset({"stripped", "rejected"})
"""Verdicts that `?strict` answers with 503."""
_SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """This process: an id that tells replicas apart, and what runs in it."""

    versions: Mapping[str, str]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started_at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What this process knows, for the report and the metrics.

    Attributes:
        instance: this process.
        readiness: whether it takes sessions.
        handshake_stats: the handshakes so far.
        finding_log: what it has noticed.
        paths: the public paths.
        learned: what the first requests of pages told.
        requests_by_mode: how many requests came kept, how many stripped.
    """

    instance: Instance
    readiness: Readiness
    handshake_stats: HandshakeStats
    finding_log: FindingLog
    paths: PublicPaths
    learned: ObservedRoutes
    requests_by_mode: Mapping[str, int]


def build_report(
    facts: Facts, *, arrival: RequestInfo, scope: Mapping[str, Any], viewer: Viewer
) -> dict[str, Any]:
    """Return the report for the client that asks."""
    now = time.time()
    handshake_stats, paths = facts.handshake_stats, facts.paths
    memory = read_memory()
    return {
        "schema": "stlaunch.selfcheck/1",
        "version": 1,
        "verdict": handshake_stats.summary,
        "ready": facts.readiness.is_ready,
        "instance": {
            "id": facts.instance.id,
            "uptime_s": round(now - facts.instance.started_at, 1),
            "versions": dict(facts.instance.versions),
        },
        "handshakes": {
            "total": sum(handshake_stats.counts.values()),
            "intact": handshake_stats.counts[HandshakeVerdict.INTACT],
            "stripped": handshake_stats.stripped,
            "rejected": handshake_stats.counts[HandshakeVerdict.ORIGIN_REJECTED],
            "by_verdict": {
                str(verdict): handshake_stats.counts[verdict] for verdict in HandshakeVerdict
            },
            "by_transport": dict(handshake_stats.transports),
            "rejections_by_reason": dict(handshake_stats.rejections),
            "last": {
                str(verdict): {"age_s": round(now - at, 1), **_last(handshake, viewer)}
                for verdict, (at, handshake) in handshake_stats.last.items()
            },
        },
        "requests": {"by_mode": dict(facts.requests_by_mode)},
        "base_path": {
            "known": [path.with_slash for path in paths.known],
            "learned": [path.with_slash for path in paths.learned.paths],
            "this_request": arrival.public.with_slash if arrival.public is not None else None,
            "mode": arrival.mode,
        },
        "learned": facts.learned.as_list(arrival),
        "request": describe_request(scope, arrival),
        "memory": memory.as_dict(),
        "findings": _findings(facts, arrival, viewer, memory),
    }


def _last(handshake: Handshake, viewer: Viewer) -> dict[str, Any]:
    """Return one handshake of somebody; whose it was is for the operator alone."""
    shown = handshake.as_dict() | {"missing": list(handshake.missing)}
    if viewer is not Viewer.OPERATOR:
        for name in ("host", "origin", "cookie_names"):
            del shown[name]
    else:
        shown["cookie_names"] = list(handshake.cookie_names)
    shown["forwarding"] = list(handshake.forwarding)
    return shown


def _findings(
    facts: Facts, arrival: RequestInfo, viewer: Viewer, memory: Memory
) -> list[dict[str, Any]]:
    """Return what was noticed since the start, and what this request itself shows; worst first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    now, is_operator = time.time(), viewer is Viewer.OPERATOR
    of_process = [memory_almost_full(memory)] if memory.is_almost_full else []
    for finding in (*of_process, *_of_request(facts, arrival)):
        found[finding.code, finding.title] = {
            **finding.as_dict(),
            "count": 1,
            "first_s": 0.0,
            "last_s": 0.0,
        }
    own = {code for code, _ in found}
    for notice in facts.finding_log.notices:
        if notice.finding.names_others and notice.finding.code in own and not is_operator:
            continue  # the same trouble of this very request says more
        shown = notice.finding if is_operator else notice.finding.without_others()
        item = found.get((shown.code, shown.title)) or {**shown.as_dict(), "count": 0}
        found[shown.code, shown.title] = item | _counted(item, notice, now)
    return sorted(found.values(), key=lambda item: _SEVERITIES.index(item["severity"]))


def _counted(item: dict[str, Any], notice: LoggedFinding, now: float) -> dict[str, Any]:
    first, last = round(now - notice.first_at, 1), round(now - notice.last_at, 1)
    return {
        "count": item["count"] + notice.count,
        "first_s": max(first, item.get("first_s", first)),
        "last_s": min(last, item.get("last_s", last)),
    }


def _of_request(facts: Facts, arrival: RequestInfo) -> list[Finding]:
    forwarded = arrival.forwarded
    found = [prefix_mismatch(forwarded.prefix, facts.paths.known)]
    if forwarded.ignored and not forwarded.is_peer_trusted and arrival.peer:
        found.append(untrusted_forwarding(arrival.peer, forwarded.ignored))
    return [finding for finding in found if finding is not None]
