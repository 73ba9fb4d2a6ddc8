"""JUnit, GitHub annotations and Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from stlaunch.check.diagnosis import Diagnosis, Finding, Status, Verdict
from stlaunch.check.observations import Observations
from stlaunch.check.redact import safe_text
from stlaunch.diagnostics.catalogue import entry

_ANNOTATIONS = {
    Status.FAIL: "error",
    Status.WARN: "warning",
    Status.INFO: "notice",
    Status.CRASH: "error",
}


def render_junit(seen: Observations, diagnosis: Diagnosis) -> str:
    """Return one test case per rule; warnings pass, with their text as output."""
    by_code = {finding.code: finding for finding in _all(diagnosis.findings)}
    statuses = [check.status for check in diagnosis.checks]
    suite = ET.Element(
        "testsuite",
        name="stlaunch check",
        tests=str(len(statuses)),
        failures=str(statuses.count(Status.FAIL)),
        errors=str(statuses.count(Status.CRASH)),
        skipped=str(statuses.count(Status.SKIP)),
        time=f"{seen.elapsed_ms / 1000:.3f}",
    )
    for check in diagnosis.checks:
        name = f"{check.code} {entry(check.code).title}"
        case = ET.SubElement(suite, "testcase", classname=safe_text(seen.url), name=name)
        finding = by_code.get(check.code)
        text = _xml(_text_of(finding)) if finding else ""
        match check.status:
            case Status.FAIL:
                ET.SubElement(case, "failure", message=_xml(finding.evidence if finding else ""))
                case[0].text = text
            case Status.CRASH:
                ET.SubElement(case, "error", message=_xml(check.reason))
            case Status.SKIP:
                ET.SubElement(case, "skipped", message=_xml(check.reason))
            case Status.WARN | Status.INFO:
                ET.SubElement(case, "system-out").text = text
            case Status.PASS:
                pass
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def render_github(diagnosis: Diagnosis) -> str:
    """Return workflow commands that GitHub shows as annotations; consequences are inside."""
    return "".join(
        f"::{_ANNOTATIONS[finding.status]} title={_property(f'{finding.code} {finding.title}')}"
        f"::{_data(_text_of(finding))}\n"
        for finding in diagnosis.findings
    )


def render_prometheus(seen: Observations, diagnosis: Diagnosis) -> str:
    """Return metrics for node_exporter's textfile collector."""
    url = _label(safe_text(seen.url))
    session = seen.session
    finished = session.finished_ms if session else None
    is_up = diagnosis.verdict in {Verdict.HEALTHY, Verdict.DEGRADED}
    lines = [
        "# HELP stlaunch_check_up Whether the app was found to work.",
        "# TYPE stlaunch_check_up gauge",
        f'stlaunch_check_up{{url="{url}"}} {int(is_up)}',
        "# HELP stlaunch_check_duration_seconds How long the check took.",
        "# TYPE stlaunch_check_duration_seconds gauge",
        f'stlaunch_check_duration_seconds{{url="{url}"}} {seen.elapsed_ms / 1000:.3f}',
        "# HELP stlaunch_check_timestamp_seconds When the check ended.",
        "# TYPE stlaunch_check_timestamp_seconds gauge",
        f'stlaunch_check_timestamp_seconds{{url="{url}"}} {seen.at:.0f}',
        "# HELP stlaunch_check_finding A finding; 1 for the most likely cause, 0 for others.",
        "# TYPE stlaunch_check_finding gauge",
    ]
    first = diagnosis.findings[:1]
    for finding in _all(diagnosis.findings):
        labels = f'url="{url}",code="{finding.code}",severity="{finding.severity}"'
        lines.append(f"stlaunch_check_finding{{{labels}}} {int(finding in first)}")
    if finished is not None:
        lines += [
            "# HELP stlaunch_check_script_seconds How long the script took.",
            "# TYPE stlaunch_check_script_seconds gauge",
            f'stlaunch_check_script_seconds{{url="{url}"}} {finished / 1000:.3f}',
        ]
    return "\n".join(lines) + "\n"


def _all(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from _all(finding.consequences)


def _text_of(finding: Finding) -> str:
    parts = [safe_text(finding.evidence)]
    if finding.hop:
        parts.append(f"Who: {safe_text(finding.hop)}")
    if finding.fix:
        parts.append(finding.fix)
    if finding.consequences:
        parts.append("Hence: " + ", ".join(one.code for one in finding.consequences))
    return "\n".join(parts)


def _xml(text: str) -> str:
    return "".join(char for char in text if char in "\n\t" or char.isprintable())


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
