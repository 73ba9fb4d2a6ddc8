"""The JSON report `stlaunch.selfcheck/1`: facts about this instance and the request that asks.

Nothing in it identifies another client: see `stlaunch.handshake` for what is kept.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stlaunch.arrival import Arrival
from stlaunch.base_path import BasePath
from stlaunch.findings import memory_almost_full, upgrade_stripped
from stlaunch.handshake import STRIPPED, HandshakeLedger, HandshakeVerdict
from stlaunch.learned import Learned
from stlaunch.memory import read_memory
from stlaunch.public_paths import PublicPaths
from stlaunch.readiness import Readiness


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """This process: an id that tells replicas apart, and what runs in it."""

    versions: Mapping[str, str]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started_at: float = field(default_factory=time.time)


def build_report(
    *,
    instance: Instance,
    readiness: Readiness,
    ledger: HandshakeLedger,
    paths: PublicPaths,
    learned: Learned,
    arrival: Arrival,
    scope: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the report for the client that asks."""
    now = time.time()
    forwarded = arrival.forwarded
    memory = read_memory()
    return {
        "schema": "stlaunch.selfcheck/1",
        "verdict": ledger.summary,
        "ready": readiness.is_ready,
        "instance": {
            "id": instance.id,
            "uptime_s": round(now - instance.started_at, 1),
            "versions": dict(instance.versions),
        },
        "handshakes": {
            "total": sum(ledger.counts.values()),
            "intact": ledger.counts[HandshakeVerdict.INTACT],
            "stripped": ledger.stripped,
            "rejected": ledger.counts[HandshakeVerdict.ORIGIN_REJECTED],
            "by_verdict": {str(verdict): ledger.counts[verdict] for verdict in HandshakeVerdict},
            "by_transport": dict(ledger.transports),
            "rejections_by_reason": dict(ledger.rejections),
            "last": {
                str(verdict): {"age_s": round(now - at, 1), **handshake.as_dict()}
                for verdict, (at, handshake) in ledger.last.items()
            },
        },
        "base_path": {
            "known": [path.with_slash for path in paths.known],
            "learned": [path.with_slash for path in paths.learned.paths],
            "this_request": arrival.public.with_slash if arrival.public is not None else None,
            "mode": arrival.mode,
        },
        "learned": learned.as_list(),
        "request": {
            "http_version": scope.get("http_version"),
            "scheme": arrival.scheme,
            "host": str(arrival.host) if arrival.host else None,
            "client": forwarded.client[0] if forwarded.client else None,
            "hops": forwarded.hops,
            "peer_is_trusted": forwarded.is_peer_trusted,
            "believed": list(forwarded.believed),
            "ignored": {name: forwarded.reasons.get(name, "") for name in forwarded.ignored},
        },
        "memory": memory.as_dict(),
        "findings": [
            *(finding.as_dict() for finding in _findings(ledger, arrival)),
            *([memory_almost_full(memory).as_dict()] if memory.is_almost_full else []),
        ],
    }


def _findings(ledger: HandshakeLedger, arrival: Arrival) -> list[Any]:
    if ledger.summary not in {"stripped", "degraded"}:
        return []
    for verdict in STRIPPED:
        if verdict in ledger.last:
            handshake = ledger.last[verdict][1]
            return [upgrade_stripped(arrival.base or BasePath(), handshake.missing)]
    return []
