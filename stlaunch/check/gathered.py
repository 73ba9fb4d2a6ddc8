"""Hold what the probes of one run have seen so far. It runs none, and evaluates nothing."""

from __future__ import annotations

import time
from dataclasses import field
from typing import Any

from stlaunch.check.observations import (
    Dialled,
    Exchange,
    Http2,
    Limits,
    Lookup,
    Observations,
    Opening,
    PageLoad,
    Session,
    Tls,
)
from stlaunch.check.target import Target
from stlaunch.quick_dataclass import dataclass


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What has been seen so far."""

    target: Target
    started: float = field(default_factory=time.monotonic)
    dns: Lookup | None = None
    dialled: tuple[Dialled, ...] = ()
    tls: Tls | None = None
    http: dict[str, Exchange] = field(default_factory=dict)
    redirects: tuple[Exchange, ...] = ()
    openings: dict[str, Opening] = field(default_factory=dict)
    http2: Http2 | None = None
    session: Session | None = None
    fallback: Session | None = None
    self_check: dict[str, Any] | None = None
    forged: dict[str, Any] | None = None
    handshake: dict[str, Any] | None = None
    instances: tuple[str, ...] | None = None
    load: PageLoad | None = None
    uploads: tuple[int, ...] | None = None
    limits: Limits | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)
    moved_to: Target | None = None
    cut_reason: str = ""

    def freeze(self) -> Observations:
        """Return it as facts, with the time that they took."""
        return Observations(
            url=self.target.url,
            scheme=self.target.origin.scheme,
            host=self.target.host,
            base_path=self.target.base_path.value,
            lacks_slash=self.target.lacks_slash,
            is_cut=bool(self.cut_reason),
            cut_reason=self.cut_reason,
            at=time.time(),
            elapsed_ms=round((time.monotonic() - self.started) * 1000),
            dns=self.dns,
            dialled=self.dialled,
            tls=self.tls,
            http=dict(sorted(self.http.items())),
            redirects=self.redirects,
            openings=dict(sorted(self.openings.items())),
            http2=self.http2,
            session=self.session,
            fallback=self.fallback,
            self_check=self.self_check,
            forged=self.forged,
            handshake=self.handshake,
            instances=self.instances,
            load=self.load,
            uploads=self.uploads,
            limits=self.limits,
            skipped=dict(sorted(self.skipped.items())),
            crashed=dict(sorted(self.crashed.items())),
        )
