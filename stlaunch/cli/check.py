"""`stlaunch check [URL]`: check a deployed app; `stlaunch.check` does the work."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click

from stlaunch.check.diagnosis import Diagnosis, diagnose
from stlaunch.check.formats.machines import render_github, render_junit, render_prometheus
from stlaunch.check.formats.markdown import render_markdown
from stlaunch.check.formats.text import render_text, show_progress
from stlaunch.check.observations import Observations
from stlaunch.check.observe import observe
from stlaunch.check.options import DEFAULT_TIMEOUT_S, CheckOptions, parse_cookies, parse_headers
from stlaunch.check.report import build_report, exit_code
from stlaunch.check.rules import RULES
from stlaunch.check.target import Target
from stlaunch.cli.errors import has_colour, text_width
from stlaunch.cli.this_machine import FOR_INSIDERS, RunningApp, find_running_app
from stlaunch.diagnostics import catalogue
from stlaunch.errors import ExitCode, UsageError
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.storage.atomic_write import FOR_ALL, write_atomic

_FORMATS = ("json", "markdown", "junit", "github")


def run_check(
    options: CheckOptions,
    *,
    render: Callable[[Observations, Diagnosis], str],
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    prometheus: Path | None = None,
    shows_progress: bool = False,
    is_strict: bool = False,
) -> tuple[ExitCode, Diagnosis]:
    """Check once, print the report and return the exit code with what it was made from."""
    seen = _observe(options, shows_progress=shows_progress)
    diagnosis = diagnose(seen, only=only, skip=skip)
    sys.stdout.write(render(seen, diagnosis))
    sys.stdout.flush()
    if prometheus is not None:
        _write(prometheus, render_prometheus(seen, diagnosis))
    return exit_code(diagnosis, is_strict=is_strict), diagnosis


def _observe(options: CheckOptions, *, shows_progress: bool) -> Observations:
    if not shows_progress:
        return anyio.run(observe, options)
    with show_progress(sys.stderr, is_shown=True) as progress:
        return anyio.run(observe, options, progress)


def _watch(
    check: Callable[..., tuple[ExitCode, Diagnosis]],
    render: Callable[[Observations, Diagnosis], str],
    every_s: float,
    *,
    is_json: bool,
) -> int:
    """Check again and again; after the first report, print what changed."""
    _, before = check(render=render)
    while True:
        time.sleep(every_s)
        if is_json:
            check(render=render)
            continue
        _, after = check(render=lambda _seen, _diagnosis: "")
        for line in _changes(before, after):
            click.echo(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}")
        before = after


def _changes(before: Diagnosis, after: Diagnosis) -> list[str]:
    lines = []
    if before.verdict is not after.verdict:
        lines.append(f"{before.verdict} -> {after.verdict}")
    was = {finding.code: finding for finding in before.findings}
    now = {finding.code: finding for finding in after.findings}
    lines += [f"new {code} {now[code].title}" for code in now if code not in was]
    lines += [f"gone {code} {was[code].title}" for code in was if code not in now]
    return lines


def _write(path: Path, text: str) -> None:
    """Replace the file atomically: a collector must never read half of it."""
    try:
        write_atomic(path, text, mode=FOR_ALL)
    except OSError as exc:
        raise UsageError(
            f"--prometheus: {str(path)!r} cannot be written: {exc.strerror}.",
            hint="Name a file in a folder that exists and is writable.",
        ) from exc


def _codes(texts: Sequence[str], flag: str) -> tuple[str, ...]:
    known = catalogue.codes()
    codes = []
    for code in (part.strip().upper() for text in texts for part in text.split(",")):
        if not code.startswith("STL") or not any(name.startswith(code) for name in known):
            raise UsageError(
                f"{flag}: there is no code {code!r}.",
                hint=did_you_mean(code, known, prefix="STL") or "See: stlaunch check --list",
            )
        codes.append(code)
    return tuple(codes)


def _renderer(
    kind: str, options: CheckOptions, *, is_one_line: bool, is_strict: bool, is_all: bool
) -> Callable[[Observations, Diagnosis], str]:
    secret = [name for name, _ in options.headers]
    match kind:
        case "json":
            indent = None if is_one_line else 2

            def as_json(seen: Observations, diagnosis: Diagnosis) -> str:
                report = build_report(seen, diagnosis, secret_headers=secret, is_strict=is_strict)
                return json.dumps(report, indent=indent) + "\n"

            return as_json
        case "markdown":
            return render_markdown
        case "junit":
            return render_junit
        case "github":
            return lambda _seen, diagnosis: render_github(diagnosis)
        case _:
            return partial(
                render_text,
                is_coloured=has_colour(os.environ, sys.stdout),
                width=text_width(sys.stdout),
                is_brief=sys.stdout.isatty() and not is_all,
            )


def _print_list() -> int:
    for code in sorted(rule.code for rule in RULES):
        known = catalogue.entry(code)
        click.echo(f"{code}  {known.severity:<7}  {known.title}")
    return ExitCode.OK


@click.command(
    "check",
    short_help="Check a deployed app and pinpoint the hop that breaks it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExamples:\n  stlaunch check https://example.com/streamlitApp/\n"
    "  stlaunch check  (on the app's machine: its public URL, compared with its own address)",
)
@click.argument("url", required=False)
@click.option(
    "--direct", metavar="URL", help="The app's own address, bypassing the proxy, to compare."
)
@click.option(
    "--header", multiple=True, metavar="'NAME: VALUE'", help="Send this header; repeatable."
)
@click.option("--cookie", multiple=True, metavar="NAME=VALUE", help="Send this cookie; repeatable.")
@click.option("--insecure", is_flag=True, help="Accept an untrusted certificate.")
@click.option(
    "--connect-to", default="", metavar="HOST:PORT", help="Connect to this address instead."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 300),
    default=DEFAULT_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="Timeout of the whole check; raise it for an app that has to wake up.",
)
@click.option(
    "--only", multiple=True, metavar="CODE,...", help="Check only these; STL3 means all STL3xx."
)
@click.option("--skip", multiple=True, metavar="CODE,...", help="Skip these.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--limits", is_flag=True, help="Measure idle timeouts, sizes and buffering (40 s).")
@click.option(
    "--all",
    "all_",
    is_flag=True,
    help="Show every finding with its lines, what was sent and what arrived, and what was skipped; "
    "without a terminal this is the default.",
)
@click.option("--list", "is_list", is_flag=True, help="List all checks, and exit.")
@click.option("--json", "json_", is_flag=True, help="Report as JSON (stlaunch.check/1).")
@click.option("--markdown", is_flag=True, help="Report as Markdown, to paste into an issue.")
@click.option("--junit", is_flag=True, help="Report as JUnit XML.")
@click.option("--github", is_flag=True, help="Report as GitHub annotations.")
@click.option(
    "--watch",
    type=click.FloatRange(1, 86400),
    metavar="SECONDS",
    help="Keep checking, and print what changes.",
)
@click.option(
    "--prometheus",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write metrics for a textfile collector.",
)
def check(url: str | None, **given: Any) -> int:
    """Check the app at URL from outside, and pinpoint the hop that breaks it.

    Without URL, check the app that you run on this machine.

    Exit code 0: no errors. 1: errors (--strict: or warnings). 4: the check could not run.
    """
    if given["is_list"]:
        return _print_list()
    kinds = [kind for kind in _FORMATS if given["json_" if kind == "json" else kind]]
    if len(kinds) > 1:
        raise UsageError(
            f"Choose one report format, not --{' and --'.join(kinds)}.",
            hint="See: stlaunch check --help.",
        )
    kind = kinds[0] if kinds else "text"
    app = RunningApp(url=url, is_public=True) if url else find_running_app(os.environ)
    if not app.is_public:
        click.echo(
            f"The public URL is not known (set --public-url): checking {app.url} instead.",
            err=True,
        )
    target = Target.parse(app.url, connect_to=given["connect_to"])
    direct = given["direct"] or app.direct
    options = CheckOptions(
        target=target,
        direct=Target.parse(direct) if direct else None,
        headers=parse_headers(given["header"]),
        cookies=parse_cookies(given["cookie"]),
        is_insecure=given["insecure"] or not app.is_public,  # its certificate names the public host
        timeout_s=given["timeout"],
        measures_limits=given["limits"],
    )
    watch = given["watch"]
    is_strict = given["strict"]
    render = _renderer(
        kind, options, is_one_line=bool(watch), is_strict=is_strict, is_all=given["all_"]
    )
    once = partial(
        run_check,
        options,
        only=_codes(given["only"], "--only"),
        skip=(*_codes(given["skip"], "--skip"), *(() if app.is_public else FOR_INSIDERS)),
        prometheus=given["prometheus"],
        shows_progress=kind == "text" and sys.stderr.isatty(),
        is_strict=is_strict,
    )
    if watch:
        return _watch(once, render, watch, is_json=kind == "json")
    code, _ = once(render=render)
    return code
