"""All rules, causes before their consequences: the first that fires is the most likely cause."""

from __future__ import annotations

from stlaunch.check.rules import (
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
from stlaunch.check.rules.model import Hit, Judgement, Rule, Unknown

RULES: tuple[Rule, ...] = (
    *reach.RULES,
    *paths.CAUSES,
    *pages.RULES,
    *paths.RULES,
    *origins.CAUSES,
    *stream.RULES,
    *replicas.RULES,
    *forwarding.RULES,
    *origins.RULES,
    *limits.RULES,
    *caching.RULES,
)

__all__ = ["RULES", "Hit", "Judgement", "Rule", "Unknown"]
