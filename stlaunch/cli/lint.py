"""`stlaunch lint FILE...`: say what in a proxy's configuration breaks or weakens the app.

It reads the command line and prints; what is judged is the business of `stlaunch.lint`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stlaunch.cli.proxy import read_app
from stlaunch.errors import ExitCode, UsageError
from stlaunch.lint import App, LintFinding, Report, lint_file
from stlaunch.lint.edits import apply, edited, unified_diff
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, PublicUrl, is_url

_SCHEMA = "stlaunch.lint/1"


@click.command(
    "lint",
    short_help="Find what breaks the app in a proxy configuration, and fix it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: stlaunch lint /etc/nginx/nginx.conf --upstream 127.0.0.1:8501 --fix",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--app", metavar="APP", help="The app, for its limits. Default: the one in this folder."
)
@click.option("--upstream", metavar="HOST:PORT", help="The app's address, to find its routes by.")
@click.option("--public-url", metavar="URL|PATH", help="The app's path in the browser.")
@click.option("--fix", is_flag=True, help="Apply the changes; keep the old files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (stlaunch.lint/1).")
def lint(  # noqa: PLR0917 - click passes options by name
    files: tuple[Path, ...],
    app: str | None,
    upstream: str | None,
    public_url: str | None,
    fix: bool,
    as_json: bool,
) -> int:
    """Find what breaks the app in FILES of nginx, Caddy, Apache, HAProxy, Traefik and Kubernetes.

    Includes are followed. Only routes to the app count: those to its port, or to a name with
    "streamlit" in it. It reports only problems that it is sure of.
    """
    known = _known_app(app, upstream, public_url)
    report = Report()
    for file in files:
        report.extend(lint_file(file, known))
    report.sort()
    texts = edited(edit for finding in report.findings for edit in finding.edits)
    diff = unified_diff(texts)
    if as_json:
        click.echo(json.dumps(_as_json(report, diff), indent=2))
    else:
        click.echo(_as_text(report, diff), nl=False)
    if fix and texts:
        backups = apply(texts)
        click.echo(
            f"Changed {len(texts)} file(s). The old ones: {', '.join(map(str, backups))}", err=True
        )
        return _after_fix(files, known)
    return ExitCode.FINDINGS if report.findings else _verdict(report)


def _after_fix(files: tuple[Path, ...], known: App) -> int:
    left = Report()
    for file in files:
        left.extend(lint_file(file, known))
    left.sort()
    for finding in left.findings:
        click.echo(f"Not fixed automatically: {_head(finding)}", err=True)
    return ExitCode.FINDINGS if left.findings else ExitCode.OK


def _verdict(report: Report) -> ExitCode:
    return ExitCode.OK if report.routes else ExitCode.NO_VERDICT


def _known_app(app: str | None, upstream: str | None, public_url: str | None) -> App:
    facts, _ = read_app(app)
    place = HostPort.parse(upstream) if upstream else None
    if upstream and (place is None or place.port is None):
        raise UsageError(
            f"--upstream: {upstream!r} is not host:port.",
            hint="--upstream 127.0.0.1:8501",
        )
    base = None
    if public_url:
        base = (
            PublicUrl.parse(public_url).base_path
            if is_url(public_url)
            else BasePath.parse(public_url)
        )
    return App(
        port=facts.port,
        upstream=place,
        base_path=base,
        max_upload_mb=facts.max_upload_mb,
        ping_interval_s=facts.ping_interval_s,
        trusted_headers=facts.identity_headers,
    )


def _head(finding: LintFinding) -> str:
    where = f"{finding.file}:{finding.line}"
    return f"{where}: {finding.code} {finding.entry.severity}: {finding.detail}"


def _as_text(report: Report, diff: str) -> str:
    lines: list[str] = []
    for finding in report.findings:
        lines += [_head(finding), *(f"    {line}" for line in finding.fix.splitlines()), ""]
    lines += [f"{note.file}:{note.line}: note: {note.text}" for note in report.notes]
    if diff:
        lines += ["", "--fix would change:", "", diff.rstrip("\n")]
    routes, count = len(report.routes), len(report.findings)
    lines.append(f"{routes} route(s) to the app, {count} finding(s), {len(report.notes)} note(s).")
    return "\n".join(lines) + "\n"


def _as_json(report: Report, diff: str) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "version": 1,
        "files": [str(file) for file in report.files],
        "routes": report.routes,
        "findings": [
            {
                "code": finding.code,
                "severity": str(finding.entry.severity),
                "title": finding.entry.title,
                "file": str(finding.file),
                "line": finding.line,
                "detail": finding.detail,
                "fix": finding.fix,
            }
            for finding in report.findings
        ],
        "notes": [
            {"file": str(note.file), "line": note.line, "text": note.text} for note in report.notes
        ],
        "diff": diff,
    }
