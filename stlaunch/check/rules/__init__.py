"""All rules; `stlaunch.diagnostics.ranking` decides which finding comes first."""

from __future__ import annotations

from stlaunch.check.rules import (
    browser_headers,
    caching,
    forwarding,
    limits,
    origins,
    pages,
    paths,
    reach,
    replicas,
    stream,
)
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown

RULES: tuple[Rule, ...] = (
    *reach.RULES,
    *paths.CAUSES,
    *limits.CAUSES,
    *pages.RULES,
    *paths.RULES,
    *origins.CAUSES,
    *paths.HOST_RULES,
    *stream.RULES,
    *replicas.RULES,
    *forwarding.RULES,
    *origins.RULES,
    *limits.RULES,
    *caching.RULES,
    *browser_headers.RULES,
)

__all__ = ["RULES", "Hit", "Outcome", "Rule", "Unknown"]
