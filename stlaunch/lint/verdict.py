"""Turn a report into an exit code, and a hint where no route was found. Pure."""

from __future__ import annotations

from shlex import quote

from stlaunch.diagnostics.severity import Severity
from stlaunch.errors import ExitCode
from stlaunch.lint.app import App
from stlaunch.lint.findings import Report

_MAX_TRIED = 5


def exit_code(report: Report, *, is_strict: bool) -> ExitCode:
    """Return 1 for errors, or for warnings where asked for; 4 where nothing was checked."""
    severities = {finding.severity for finding in report.findings}
    if Severity.ERROR in severities or (is_strict and Severity.WARNING in severities):
        return ExitCode.FINDINGS
    if report.routes or report.passes_nothing_on or report.findings:
        return ExitCode.OK
    return ExitCode.NO_VERDICT


def what_to_try(report: Report, app: App) -> list[str]:
    """Return advice for a run that found no route to the app."""
    if report.routes or report.passes_nothing_on:
        return []
    if report.is_incomplete:
        lines = ["No route to the app was recognised: the notes say what was not understood."]
    elif app.is_named:
        lines = [
            f"No route to the app was found: nothing is passed to {app.target} ({app.named_by})."
        ]
    else:
        nothing = f"nothing is passed to {app.target} or to a name with streamlit in it"
        lines = [f"No route to the app was found: {nothing}."]
    seen: set[str] = set()
    for place in report.elsewhere:
        if place.target in seen or len(seen) >= _MAX_TRIED:
            continue
        seen.add(place.target)
        lines.append(
            f"{place.file}, line {place.line}, passes to {place.target}: if that is the app, try "
            f"--upstream {quote(place.target)}"
        )
    if not report.elsewhere and not app.is_named:
        lines.append("Does the app listen elsewhere? --upstream HOST:PORT or unix:/path")
    return lines
