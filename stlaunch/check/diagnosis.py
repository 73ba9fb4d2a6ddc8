"""Evaluate the rules, group consequences under their cause, and name the hop to blame. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from stlaunch.check.fixes import fix_text
from stlaunch.check.hop import Hop
from stlaunch.check.hops import recognise
from stlaunch.check.observations import Observations
from stlaunch.check.rules import RULES, Hit, Rule, Unknown
from stlaunch.diagnostics import ranking
from stlaunch.diagnostics.catalogue import entry
from stlaunch.diagnostics.severity import Severity
from stlaunch.quick_dataclass import dataclass


class Status(StrEnum):
    """What became of one rule."""

    PASS = "PASS"  # noqa: S105 - not a password
    """It ran, and nothing is wrong."""
    FAIL = "FAIL"
    """Something does not work."""
    WARN = "WARN"
    """It works, but somebody will be hit."""
    INFO = "INFO"
    """It works, but something is worth noting."""
    SKIP = "SKIP"
    """It could not run."""
    CRASH = "CRASH"
    """stlaunch itself failed in this rule."""


_STATUSES = {
    Severity.ERROR: Status.FAIL,
    Severity.WARNING: Status.WARN,
    Severity.INFO: Status.INFO,
}


class Verdict(StrEnum):
    """The overall result in one word."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It works, with warnings."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """Nothing could be evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, who is to blame, and what to type.

    Attributes:
        code: of the catalogue.
        evidence: what was seen.
        hop: who is to blame; empty where that is not known.
        fix: what to type, where, and how to reload.
        explain: the command that prints the code's entry.
        consequences: the findings that this one causes.
    """

    code: str
    status: Status
    severity: Severity
    title: str
    evidence: str
    hop: str = ""
    fix: str = ""
    explain: str = ""
    consequences: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule's outcome; `reason` for SKIP and CRASH."""

    code: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The whole result; the first finding is the most likely cause."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    hops: tuple[Hop, ...]


def selects(code: str, only: Sequence[str], skip: Sequence[str]) -> bool:
    """Return whether a code is selected; `STL3` selects all that begin with it."""
    if any(code.startswith(prefix) for prefix in skip):
        return False
    return not only or any(code.startswith(prefix) for prefix in only)


def diagnose(
    seen: Observations,
    *,
    rules: Sequence[Rule] = RULES,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> Diagnosis:
    """Evaluate the observations."""
    checks: list[Check] = []
    found: list[tuple[Rule, Finding]] = []
    hops = recognise(seen)
    suspect = _only_proxy(hops)
    for rule in rules:
        if not selects(rule.code, only, skip):
            checks.append(Check(code=rule.code, status=Status.SKIP, reason="not selected"))
            continue
        check, finding = _evaluate(rule, seen, suspect)
        checks.append(check)
        if finding is not None:
            found.append((rule, finding))
    findings = _fold(found)
    return Diagnosis(
        verdict=_verdict(seen, findings, checks),
        findings=tuple(findings),
        checks=tuple(checks),
        hops=hops,
    )


def _evaluate(rule: Rule, seen: Observations, suspect: Hop | None) -> tuple[Check, Finding | None]:
    for name in rule.requires:
        if name in seen.crashed:
            return _crash(rule, seen.crashed[name], seen, suspect)
        if seen.get(name) is None:
            reason = _why_missing(seen, name)
            return Check(code=rule.code, status=Status.SKIP, reason=reason), None
    try:
        outcome = rule.evaluate(seen)
    except Exception as exc:  # noqa: BLE001 - one rule's bug must not hide what others found
        return _crash(rule, f"{type(exc).__name__}: {exc}"[:200], seen, suspect)
    if outcome is None:
        return Check(code=rule.code, status=Status.PASS), None
    if isinstance(outcome, Unknown):
        return Check(code=rule.code, status=Status.SKIP, reason=outcome.reason), None
    status = _STATUSES[entry(rule.code).severity_under(outcome.circumstances)]
    return Check(code=rule.code, status=status), _finding(rule, status, outcome, seen, suspect)


def _crash(
    rule: Rule, reason: str, seen: Observations, suspect: Hop | None
) -> tuple[Check, Finding]:
    hit = Hit(evidence=f"stlaunch failed: {reason}.")
    crash = _finding(rule, Status.CRASH, hit, seen, suspect)
    return Check(code=rule.code, status=Status.CRASH, reason=reason), crash


def _why_missing(seen: Observations, name: str) -> str:
    first = name.partition(".")[0]
    return seen.skipped.get(name) or seen.skipped.get(first) or f"{name} was not observed"


def _finding(
    rule: Rule, status: Status, hit: Hit, seen: Observations, suspect: Hop | None
) -> Finding:
    code = rule.code
    known = entry(code)
    hop = hit.hop or suspect
    is_app_itself = seen.direct is not None and _evaluate(rule, seen.direct, None)[1] is not None
    is_of_app = rule.is_of_app and hit.hop is None
    blamed = "the app" if is_of_app else str(hop or "")
    return Finding(
        code=code,
        status=status,
        severity=known.severity_under(hit.circumstances),
        title=known.title,
        evidence=hit.evidence,
        hop="the app itself (the same without the proxy)" if is_app_itself else blamed,
        fix=fix_text(code, None if is_app_itself and not rule.is_of_app else hop, seen, hit.needs),
        explain=f"stlaunch explain {code}",
    )


def _only_proxy(hops: Sequence[Hop]) -> Hop | None:
    """Return the only proxy that gave itself away; with several, none is blamed."""
    found = [hop for hop in hops if not hop.is_app]
    return found[0] if len(found) == 1 else None


def _fold(found: Sequence[tuple[Rule, Finding]]) -> list[Finding]:
    """Put each finding below the first one that explains it, and the most likely cause first."""
    heads: list[tuple[Rule, Finding, list[Finding]]] = []
    for rule, finding in sorted(found, key=lambda pair: ranking.step_of(pair[1].code)):
        for cause, head, consequences in heads:
            is_milder = finding.severity.rank >= head.severity.rank
            if is_milder and finding.code.startswith(cause.explains or ("-",)):
                consequences.append(finding)
                break
        else:
            heads.append((rule, finding, []))
    folded = [
        replace(finding, consequences=tuple(consequences)) for _, finding, consequences in heads
    ]
    return sorted(folded, key=lambda finding: ranking.rank(finding.code, finding.severity))


def _verdict(seen: Observations, findings: Sequence[Finding], checks: Sequence[Check]) -> Verdict:
    severities = {finding.severity for finding in findings if finding.status is not Status.CRASH}
    if Severity.ERROR in severities:
        return Verdict.BROKEN
    if seen.is_cut:  # never claim that something unchecked works
        return Verdict.UNKNOWN
    if Severity.WARNING in severities:
        return Verdict.DEGRADED
    if not any(check.status in {Status.PASS, Status.INFO} for check in checks):
        return Verdict.UNKNOWN
    return Verdict.HEALTHY
