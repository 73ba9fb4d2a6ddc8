"""`stlaunch explain CODE`: print what a code means and how to fix it."""

from __future__ import annotations

import click

from stlaunch.check.explanations import render_entry
from stlaunch.diagnostics import catalogue
from stlaunch.errors import ExitCode, UsageError
from stlaunch.settings.suggestion import did_you_mean


def _complete(_ctx: click.Context, _param: click.Parameter, text: str) -> list[str]:
    return [code for code in catalogue.codes() if code.startswith(text.upper())]


@click.command(
    "explain",
    short_help="Explain a finding code, and how to fix it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: stlaunch explain STL301",
)
@click.argument("codes", nargs=-1, metavar="[CODE]...", shell_complete=_complete)
def explain(codes: tuple[str, ...]) -> int:
    """Explain each CODE: the problem, how to see it by hand, the fix for each proxy. Without CODE, list all codes."""  # noqa: E501
    if not codes:
        for code in catalogue.codes():
            click.echo(f"{code}  {catalogue.entry(code).title}")
        return ExitCode.OK
    known = catalogue.codes()
    for code in codes:
        if code.upper() not in known:
            raise UsageError(
                f"There is no code {code!r}.",
                hint=did_you_mean(code.upper(), known, prefix="STL") or "See: stlaunch explain",
            )
    click.echo("\n".join(render_entry(catalogue.entry(code.upper())) for code in codes), nl=False)
    return ExitCode.OK
