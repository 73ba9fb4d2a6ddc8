"""Implement `--verify`: open the app's own public URL like a browser, and log the result.

Probes and rules come from `stlaunch.check`; this adds whether this very process answers, and the
log lines.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from stlaunch.diagnostics.catalogue import entry
from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.severity import Severity
from stlaunch.gateway.selfcheck.access import TOKEN_HEADER

if TYPE_CHECKING:
    from stlaunch.check import diagnosis

logger = logging.getLogger(__name__)

# The first run of the script loads the app's libraries.
_TIMEOUT_S = 90
_ATTEMPTS = 5
_PAUSE_S = 2.0
_NOT_YET = frozenset({"STL101", "STL102", "STL103", "STL120"})
"""Nothing answers: the proxy or its DNS name may be ready later than the app."""


def report_verdict(url: str, instance: str, key: str) -> None:
    """Verify, retrying for a while if nothing answers yet, and log the verdict."""
    findings = verify(url, instance=instance, key=key)
    for _ in range(_ATTEMPTS - 1):
        if not any(finding.code in _NOT_YET for finding in findings):
            break
        time.sleep(_PAUSE_S)
        findings = verify(url, instance=instance, key=key)
    if not findings:
        logger.info("Verified: %s reaches this app, and its WebSocket works.", url)
        return
    for finding in findings:
        logger.warning("%s %s. %s", finding.code, finding.title, finding.fix)
    logger.warning("Not verified: %s has the problems above.", url)


def verify(url: str, *, instance: str, key: str) -> list[Finding]:
    """Return what is wrong between the public URL and this process; empty if nothing is.

    It runs its own event loop: call it in a thread that has none.

    Args:
        url: the public URL.
        instance: this process's id; empty if others may answer in its place.
        key: unlocks the self-check for this process; empty to see only what everybody may.
    """
    # Imported late: neither the start nor an app without --verify pays for it.
    import anyio  # noqa: PLC0415

    from stlaunch.check.diagnosis import diagnose  # noqa: PLC0415
    from stlaunch.check.observe import observe  # noqa: PLC0415
    from stlaunch.check.options import CheckOptions  # noqa: PLC0415
    from stlaunch.check.target import Target  # noqa: PLC0415

    options = CheckOptions(
        target=Target.parse(url),
        headers=((TOKEN_HEADER, key),) if key else (),
        timeout_s=_TIMEOUT_S,
    )
    seen = anyio.run(observe, options)
    found = [
        _as_logged(finding)
        for finding in diagnose(seen).findings
        if finding.severity is not Severity.INFO
    ]
    answering = seen.self_check["instance"]["id"] if seen.self_check is not None else instance
    is_other = bool(instance) and answering != instance
    if is_other and all(finding.code != "STL702" for finding in found):
        title = f"{url} leads to another instance of the app"
        found.append(Finding(code="STL702", title=title, fix=_fix("STL702")))
    return found


def _as_logged(finding: diagnosis.Finding) -> Finding:
    from stlaunch.check.redact import safe_text  # noqa: PLC0415 - late, as above

    who = f" [{safe_text(finding.hop)}]" if finding.hop else ""
    title = f"{finding.title}{who}: {safe_text(finding.evidence).rstrip('.')}"
    return Finding(code=finding.code, title=title, fix=finding.fix or _fix(finding.code))


def _fix(code: str) -> str:
    return " ".join(entry(code).fix.split()) or f"See: stlaunch explain {code}"
