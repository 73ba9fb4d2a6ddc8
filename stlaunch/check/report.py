"""Build the JSON report `stlaunch.check/1`, and the facts that all formats show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stlaunch import __version__
from stlaunch.check.diagnosis import Diagnosis, Finding, Status, Verdict
from stlaunch.check.fallback import detour
from stlaunch.check.observations import Observations
from stlaunch.check.pages import stripped_by_stlaunch
from stlaunch.check.redact import redacted, safe_text, without_addresses
from stlaunch.diagnostics.handshake import compare
from stlaunch.diagnostics.severity import Severity
from stlaunch.errors import ExitCode

SCHEMA = "stlaunch.check/1"
_ESSENTIAL = ("upgrade", "connection", "host", "origin", "sec-websocket-protocol")
_MASKED = {"cookie", "authorization", "sec-websocket-key", "sec-websocket-protocol"}
_OURS = {"x-stlaunch"}
_EXIT = {
    Verdict.HEALTHY: ExitCode.OK,
    Verdict.DEGRADED: ExitCode.OK,
    Verdict.BROKEN: ExitCode.FINDINGS,
    Verdict.UNKNOWN: ExitCode.NO_VERDICT,
}


def build_report(
    seen: Observations,
    diagnosis: Diagnosis,
    *,
    secret_headers: Sequence[str] = (),
    is_strict: bool = False,
) -> dict[str, Any]:
    """Return the redacted report; the first finding is the most likely cause.

    Args:
        seen: the observations of one run.
        diagnosis: of the same run.
        secret_headers: names of headers that the user added.
        is_strict: warnings count as errors.
    """
    return {
        "schema": SCHEMA,
        "stlaunch": __version__,
        "url": seen.url,
        "verdict": str(diagnosis.verdict),
        "summary": summary(seen, diagnosis),
        "counts": counts(diagnosis),
        "exit_code": int(exit_code(diagnosis, is_strict=is_strict)),
        "elapsed_ms": seen.elapsed_ms,
        "hops": redacted([hop.as_dict() for hop in diagnosis.hops]),
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "checks": {
            check.code: {"status": str(check.status), "reason": safe_text(check.reason)}
            for check in diagnosis.checks
        },
        "sent_and_arrived": [list(row) for row in sent_and_arrived(seen)],
        "proxied_and_direct": [list(row) for row in proxied_and_direct(seen)],
        "observations": redacted(seen.as_dict(), secret_headers=secret_headers),
    }


def counts(diagnosis: Diagnosis) -> dict[str, int]:
    """Return how many findings there are of each severity, consequences left out."""
    found = Counter(finding.severity for finding in diagnosis.findings)
    return {str(severity): found[severity] for severity in Severity}


def exit_code(diagnosis: Diagnosis, *, is_strict: bool = False) -> ExitCode:
    """Return the command's exit code; warnings alone fail only if `is_strict`."""
    code = _EXIT[diagnosis.verdict]
    if is_strict and diagnosis.verdict is Verdict.DEGRADED:
        code = ExitCode.FINDINGS
    has_crashed = any(check.status is Status.CRASH for check in diagnosis.checks)
    return ExitCode.BUG if has_crashed and code is ExitCode.OK else code


def summary(seen: Observations, diagnosis: Diagnosis) -> str:
    """Return one line: the most likely cause, or how far the app was seen to work."""
    if diagnosis.findings and diagnosis.findings[0].status in {Status.FAIL, Status.CRASH}:
        first = diagnosis.findings[0]
        return f"{first.code} {first.title}"
    cut = cut_line(seen)
    return f"{diagnosis.verdict}: {cut and f'{cut}; '}{session_line(seen)}"


def verdict_sentence(seen: Observations, diagnosis: Diagnosis) -> str:
    """Return the verdict in words; an app whose script was not run is never said to work."""
    session = seen.fallback or seen.session
    is_run = session is not None and session.finished_ms is not None
    match diagnosis.verdict:
        case Verdict.HEALTHY:
            return "The app is reachable and whole." if is_run else "Nothing wrong was found."
        case Verdict.DEGRADED:
            return "The app works, with warnings." if is_run else "There are warnings."
        case Verdict.BROKEN:
            return "Something is broken."
        case Verdict.UNKNOWN if cut := cut_line(seen):
            return f"{cut[:1].upper()}{cut[1:]}; what was seen so far shows no error."
        case Verdict.UNKNOWN:
            return "The check could not run."


def cut_line(seen: Observations) -> str:
    """Return why the check saw only a part; empty where it ran to its end."""
    return (seen.cut_reason or "the time for the check was over") if seen.is_cut else ""


def session_line(seen: Observations) -> str:
    """Return how far a session got, and over which transport."""
    session, over = seen.session, ""
    if seen.fallback is not None:
        session, over = seen.fallback, f" over HTTP{detour(seen)}"
    if session is None:
        return "no session was run"
    if session.finished_ms is not None:
        return f"script finished{over}: {session.messages} messages, {session.finished_ms} ms"
    if session.messages:
        return f"session started{over}: {session.messages} messages so far, the script still runs"
    return f"a session was opened{over}, and no message came"


def sent_and_arrived(seen: Observations) -> list[tuple[str, str, str]]:
    """Return (what, sent, arrived) where the app, under stlaunch, reports what arrived."""
    rows: list[tuple[str, str, str]] = []
    request = (seen.self_check or {}).get("request")
    if isinstance(request, dict):
        rows += [
            ("HTTP version", "1.1", _or_unknown(request.get("http_version"))),
            ("scheme", seen.scheme, _or_unknown(request.get("scheme"))),
            ("host", seen.host, _or_unknown(request.get("host"))),
        ]
        base = (seen.self_check or {}).get("base_path")
        if isinstance(base, dict):
            rows.append(("base path", f"{seen.base_path}/", _or_unknown(base.get("this_request"))))
            rows.append(("prefix", "", _or_unknown(base.get("mode"))))
    rows += _handshake(seen)
    return [(name, safe_text(sent), safe_text(arrived)) for name, sent, arrived in rows]


def _handshake(seen: Observations) -> list[tuple[str, str, str]]:
    """Return the headers of a handshake that changed on the way, and those that make it one."""
    handshake = seen.handshake
    if handshake is None:
        opening = seen.openings.get("browser")
        missing = stripped_by_stlaunch(opening) if opening else None
        return [(f"WebSocket: {name}", "sent", "(absent)") for name in missing or ()]
    sent, arrived = dict(handshake["sent"]), dict(handshake["arrived"])
    changed = compare(sent, {name: _unmasked(name, text, sent) for name, text in arrived.items()})
    names = [*_ESSENTIAL, *(name for name in changed if name not in _ESSENTIAL)]
    rows = []
    for name in names:
        before, after = changed.get(name, (sent.get(name, ""), sent.get(name, "")))
        if name in _ESSENTIAL or name not in _OURS:
            rows.append((f"WebSocket: {name}", _shown(name, before), _shown(name, after)))
    return rows


def _unmasked(name: str, text: str, sent: Mapping[str, str]) -> str:
    """Treat a value that the app masks as the one that was sent."""
    return sent.get(name, text) if text.startswith("(masked") else text


def _shown(name: str, text: str) -> str:
    if not text:
        return "(absent)"
    return "(present)" if name in _MASKED else without_addresses(text[:120])


def proxied_and_direct(seen: Observations) -> list[tuple[str, str, str]]:
    """Return (probe, through the proxy, bypassing it) for the probes that differ."""
    direct = seen.direct
    if direct is None:
        return []
    rows = [
        (name, _answered(seen.http.get(name)), _answered(direct.http.get(name)))
        for name in sorted({*seen.http, *direct.http})
    ]
    rows += [
        (f"WebSocket, {name}", _answered(seen.openings.get(name)), _answered(opening))
        for name, opening in direct.openings.items()
    ]
    rows.append(("session", _session(seen), _session(direct)))
    return [row for row in rows if row[1] != row[2]]


def _session(seen: Observations) -> str:
    session, over = (seen.session, "") if seen.session else (seen.fallback, " over HTTP")
    if session is None:
        return "none"
    return f"script finished{over}" if session.finished_ms is not None else "not finished"


def _answered(answer: Any) -> str:
    if answer is None:
        return "not asked"
    if answer.status is None:
        return str(answer.failure or "no answer")
    kind = next((value for key, value in answer.headers if key == "content-type"), "")
    return safe_text(f"{answer.status} {kind.partition(';')[0][:40]}".strip())


def _or_unknown(value: object) -> str:
    return "(unknown)" if value is None else str(value)[:120]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "status": str(finding.status),
        "severity": str(finding.severity),
        "title": finding.title,
        "evidence": safe_text(finding.evidence),
        "hop": safe_text(finding.hop),
        "fix": finding.fix,
        "explain": finding.explain,
        "consequences": [_finding(one) for one in finding.consequences],
    }
