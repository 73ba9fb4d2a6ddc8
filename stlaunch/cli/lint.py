"""`stlaunch lint FILE...`: find what breaks or weakens the app in a proxy's configuration.

It reads the command line and prints; `stlaunch.lint` does the checking.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click

from stlaunch.cli.errors import has_colour, printable, text_width
from stlaunch.cli.lint_text import Look, counted, fix_of, head_of, render_report
from stlaunch.cli.proxy import read_app
from stlaunch.errors import ExitCode, UsageError
from stlaunch.lint import App, Report, lint_files
from stlaunch.lint.app import socket_path
from stlaunch.lint.edits import Change, apply, edited, undo, unified_diff
from stlaunch.lint.validate import Verdict, ask_proxy
from stlaunch.lint.verdict import exit_code, what_to_try
from stlaunch.settings.model import Settings, SourceKind
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, PublicUrl, is_url

_LIMIT_S = 60
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
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (stlaunch.lint/1).")
def lint(  # noqa: PLR0917 - click passes options by name
    files: tuple[Path, ...],
    app: str | None,
    upstream: str | None,
    public_url: str | None,
    fix: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Find what breaks the app in FILES of nginx, Caddy, Apache, HAProxy, Traefik and Kubernetes.

    Includes are followed. Only routes to the app count: those to its port, or to a name with
    "streamlit" in it. It reports only problems that it is sure of.
    """
    _check_names(files)
    known = _known_app(app, upstream, public_url)
    with _time_limit():
        report = lint_files(files, known)
    texts = edited(edit for finding in report.findings for edit in finding.edits)
    diff = unified_diff(texts)
    tries = what_to_try(report, known)
    if as_json:
        click.echo(json.dumps(_as_json(report, diff, tries, is_strict=strict), indent=2))
    else:
        look = Look(
            width=text_width(sys.stdout) if sys.stdout.isatty() else None,
            is_coloured=has_colour(os.environ, sys.stdout),
        )
        text = render_report(report, diff, tries, look=look, is_fixing=fix)
        click.echo(text, nl=False, color=look.is_coloured)
    if fix and texts:
        if not _fixed(files, texts):
            return ExitCode.FINDINGS
        with _time_limit():
            report = lint_files(files, known)
    if fix:
        _say_what_is_left(report, with_lines=bool(diff))
    return exit_code(report, is_strict=strict)


def _check_names(files: Sequence[Path]) -> None:
    """Refuse obvious slips; anything else that cannot be read is reported when it is read."""
    for path in files:
        with suppress(OSError, ValueError):
            if path.is_dir():
                raise UsageError(f"{path} is a folder.", hint="Name the files in it.")
            if not path.exists():
                beside = [one.name for one in path.parent.iterdir()]
                hint = did_you_mean(path.name, beside)
                raise UsageError(
                    f"{path} does not exist.",
                    hint=hint or "Name a configuration file of your proxy.",
                )


@contextmanager
def _time_limit() -> Iterator[None]:
    """End a run that takes too long, whatever the files hold."""
    if sys.platform == "win32" or not hasattr(signal, "alarm"):
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise UsageError(
            f"Checking the files took longer than {_LIMIT_S} s.",
            hint="Lint fewer, or smaller, files.",
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _fixed(files: Sequence[Path], texts: dict[Path, tuple[str, str]]) -> bool:
    """Apply the changes; take them back where the proxy refuses them."""
    before = [ask_proxy(file) for file in files]
    changes = apply(texts, os.environ)
    for file, earlier in zip(files, before, strict=True):
        later = ask_proxy(file)
        if later is None or not later.is_refusal:
            continue
        if _is_unrelated(earlier, later):
            _say(f"{later.program} cannot check {file} on this machine: {later.said}")
            continue
        undo(changes)
        _say(f"{later.program} refuses the result, so {_names(changes)} is as before: {later.said}")
        return False
    programs = sorted({verdict.program for verdict in before if verdict is not None})
    checked = f" Checked with {', '.join(programs)}." if programs else ""
    backups = ", ".join(str(change.backup) for change in changes)
    old = "The old one" if len(changes) == 1 else "The old ones"
    _say(f"Changed {counted(len(texts), 'file')}. {old}: {backups}.{checked}")
    return True


def _is_unrelated(earlier: Verdict | None, later: Verdict) -> bool:
    """Return whether the proxy only repeats what it said before, about what this machine lacks."""
    return (
        earlier is not None
        and later.is_of_the_machine
        and earlier.without_place == later.without_place
    )


def _names(changes: Sequence[Change]) -> str:
    return ", ".join(str(change.file) for change in changes)


def _say_what_is_left(report: Report, *, with_lines: bool) -> None:
    """Name what a person has to change, with the lines that the report has left out."""
    for finding in report.findings:
        lines = fix_of(finding) if with_lines else []
        _say("\n".join([f"Not fixed automatically: {head_of(finding)}", *lines]))


def _say(text: str) -> None:
    click.echo(printable(text), err=True)


def _known_app(app: str | None, upstream: str | None, public_url: str | None) -> App:
    facts, settings = read_app(app)
    place, socket, where = None, "", "--upstream"
    if upstream:
        socket = socket_path(upstream) or ""
        place = None if socket else _parse_place(upstream)
    elif settings.uds.value:
        socket, where = str(settings.uds.value.absolute()), settings.uds.where
    return App(
        port=facts.port,
        upstream=place,
        socket=socket,
        named_by=where,
        base_path=_parse_base(public_url) if public_url else _stated_base(settings),
        max_upload_mb=facts.max_upload_mb,
        ping_interval_s=facts.ping_interval_s,
        trusted_headers=facts.identity_headers,
        has_login=facts.has_login,
    )


def _parse_place(upstream: str) -> HostPort:
    place = HostPort.parse(upstream)
    if place is None or place.port is None:
        raise UsageError(
            f"--upstream: {upstream!r} is not host:port.",
            hint="--upstream 127.0.0.1:8501, or --upstream unix:/run/app.sock",
        )
    return place


def _parse_base(public_url: str) -> BasePath:
    if is_url(public_url):
        return PublicUrl.parse(public_url).base_path
    return BasePath.parse(public_url)


def _stated_base(settings: Settings) -> BasePath | None:
    """Return the one public path; not the platform's: the file may be for another machine."""
    paths = settings.public_paths
    is_stated = settings.behind_proxy.source is not SourceKind.PLATFORM
    return paths[0] if is_stated and len(paths) == 1 else None


def _as_json(report: Report, diff: str, tries: Sequence[str], *, is_strict: bool) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "version": 1,
        "strict": is_strict,
        "files": [str(file) for file in report.files],
        "routes": report.routes,
        "findings": [
            {
                "code": finding.code,
                "severity": str(finding.severity),
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
        "try": list(tries),
        "diff": diff,
    }
