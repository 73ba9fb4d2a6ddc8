"""Read the files, recognise each one, and lint it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from stlaunch.lint.app import App
from stlaunch.lint.findings import Report
from stlaunch.lint.kinds import (
    FileKind,
    filled_in,
    is_of_the_product,
    is_template,
    is_terraform,
    recognise,
)
from stlaunch.lint.sources import Sources

_Linter = Callable[[Path, App, Sources], Report]


def lint_files(paths: Sequence[Path], app: App) -> Report:
    """Evaluate files together: a Service in one of them counts for an Ingress in another.

    Raises:
        UsageError: for a file that cannot be read, or that its proxy would refuse.
    """
    sources = Sources()
    report = Report()
    for path in paths:
        sources.read(path)
    for path in paths:
        report.extend(_lint(path, app, sources))
    report.sort()
    return report


def lint_file(path: Path, app: App) -> Report:
    """Evaluate one file, and what it includes.

    Raises:
        UsageError: for a file that cannot be read, or that its proxy would refuse.
    """
    return lint_files([path], app)


def lint_text(text: str, kind: FileKind, app: App | None = None) -> Report:
    """Evaluate a text of a known language without the disk: includes are not followed.

    Raises:
        UsageError: for what the proxy would refuse.
    """
    path = Path(f"text.{kind}")
    report = _linter(kind)(path, app or App(), Sources.of_texts({path: text}))
    report.sort()
    return report


def lint_content(path: Path, text: str, app: App, shift: int) -> Report:
    """Evaluate a configuration embedded in another file.

    Args:
        path: the file around it.
        text: the configuration.
        app: what is known of the app.
        shift: how many lines come before it.
    """
    inner = Path(f"{path.name}.part")
    kind = recognise(inner, text)
    if kind is None or kind is FileKind.YAML or is_template(text, kind):
        return Report()
    report = _linter(kind)(inner, app, Sources.of_texts({inner: text}))

    def moved(line: int) -> int:
        return line + shift

    return Report(
        findings=[
            replace(one, file=path, line=moved(one.line), edits=()) for one in report.findings
        ],
        notes=[replace(one, file=path, line=moved(one.line)) for one in report.notes],
        routes=[route.replace(str(inner), str(path)) for route in report.routes],
        elsewhere=[replace(one, file=path, line=moved(one.line)) for one in report.elsewhere],
        is_incomplete=report.is_incomplete,
    )


def _lint(path: Path, app: App, sources: Sources) -> Report:
    text = sources.read(path)
    kind = recognise(path, text)
    report = Report(files=[path])
    if kind is None:
        note = (
            "This is none of nginx, Caddyfile, Apache, HAProxy, Traefik, Compose, Kubernetes, "
            "Envoy, lighttpd, h2o or Varnish."
        )
        if path.suffix.lower() == ".toml":
            note = "TOML is not read; Traefik takes the same configuration as YAML."
        elif is_terraform(path):
            note = "Terraform is not read: `stlaunch check URL` checks what it has deployed."
        report.note(path, 1, note)
        return report
    found = is_template(text, kind)
    if found is not None:
        line, mark = found
        note = f"This is a template ({mark} is to be filled in): render it first, then lint that."
        report.note(path, line, note, is_gap=True)
        return report
    report = _linter(kind)(path, app, sources)
    _forget_guesses(report, path, filled_in(text, kind))
    return report


def _forget_guesses(report: Report, path: Path, filled: Sequence[tuple[int, str]]) -> None:
    """Remove the findings in lines with a value that is not known, and say which that is."""
    lines = {line for line, _ in filled}
    guessed = {one.line for one in report.findings if one.file == path} & lines
    report.findings = [
        one for one in report.findings if one.file != path or one.line not in guessed
    ]
    is_read = bool(report.routes) or report.passes_nothing_on
    unknown = (
        (line, mark)
        for line, mark in filled
        if not is_read or line in guessed or not is_of_the_product(mark)
    )
    if (first := next(unknown, None)) is not None:
        line, mark = first
        report.note(path, line, f"What {mark} is filled in with is not known.", is_gap=True)


def _linter(kind: FileKind) -> _Linter:
    # Each imports a parser of its own.
    match kind:
        case FileKind.NGINX:
            from stlaunch.lint.nginx import lint_nginx  # noqa: PLC0415

            return lint_nginx
        case FileKind.CADDY:
            from stlaunch.lint.caddy import lint_caddy  # noqa: PLC0415

            return lint_caddy
        case FileKind.APACHE:
            from stlaunch.lint.apache import lint_apache  # noqa: PLC0415

            return lint_apache
        case FileKind.HAPROXY:
            from stlaunch.lint.haproxy import lint_haproxy  # noqa: PLC0415

            return lint_haproxy
        case FileKind.YAML:
            from stlaunch.lint.yaml import lint_yaml  # noqa: PLC0415

            return lint_yaml
        case _:
            from stlaunch.lint.plain import linter_of  # noqa: PLC0415

            return linter_of(kind)
