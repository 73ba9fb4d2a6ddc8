"""Format the report as Markdown, to paste into an issue; redacted like all formats."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stlaunch import __version__
from stlaunch.check.diagnosis import Diagnosis, Finding, Status
from stlaunch.check.observations import Observations
from stlaunch.check.redact import safe_text
from stlaunch.check.report import cut_line, proxied_and_direct, sent_and_arrived, session_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!@])")


def render_markdown(seen: Observations, diagnosis: Diagnosis) -> str:
    """Return the report."""
    hops = " → ".join(["browser", *(_plain(str(hop)) for hop in diagnosis.hops)])
    took = f"stlaunch {__version__}, {seen.elapsed_ms / 1000:.1f} s"
    lines = [
        f"### stlaunch check {_plain(seen.url)}: {diagnosis.verdict}",
        "",
        f"{_plain(session_line(seen))}. Seen on the way: {hops}. {took}.",
    ]
    if cut := cut_line(seen):
        lines += ["", f"{_plain(cut[:1].upper() + cut[1:])}."]
    for index, finding in enumerate(diagnosis.findings):
        lines += ["", *_finding(finding, is_first=index == 0)]
    lines += _table(("", "sent", "arrived"), sent_and_arrived(seen))
    lines += _table(("", "through the proxy", "around it"), proxied_and_direct(seen))
    skipped = [check for check in diagnosis.checks if check.reason]
    if skipped:
        lines += ["", "<details><summary>Not checked</summary>", ""]
        lines += [f"- {check.code}: {_plain(check.reason)}" for check in skipped]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _finding(finding: Finding, *, is_first: bool) -> list[str]:
    is_cause = is_first and finding.status is Status.FAIL
    cause = " (most likely cause)" if is_cause else ""
    lines = [
        f"**{finding.status} {finding.code} {_plain(finding.title)}**{cause}",
        "",
        f"- seen: {_plain(finding.evidence)}",
    ]
    if finding.hop:
        lines.append(f"- who: {_plain(finding.hop)}")
    if finding.consequences:
        consequences = "; ".join(f"{one.code} {one.title}" for one in finding.consequences)
        lines.append(f"- hence: {_plain(consequences)}")
    if finding.fix:
        lines += ["", "```text", finding.fix.replace("```", "'''"), "```"]
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    lines = ["", f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    return lines + [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]


def _plain(text: str) -> str:
    """Keep anything that a server said from becoming markup, a mention or a link."""
    return _SPECIAL.sub(r"\\\1", " ".join(safe_text(text).split())).replace("://", ":&#47;/")
