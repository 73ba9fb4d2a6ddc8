"""`stlaunch APP`: plan the launch, then print the plan or serve the app."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from stlaunch import __version__
from stlaunch.cli import help_text
from stlaunch.cli.app_command import AppCommand, app_parameters, request_of
from stlaunch.cli.commands import COMMANDS
from stlaunch.cli.errors import say
from stlaunch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from stlaunch.settings.request import LaunchRequest

_PROGRAM = "stlaunch"
_WIDTH = 100
_EXIT_S = 3.0
IS_INSTANCE = "_STLAUNCH_IS_INSTANCE"
"""Set by `stlaunch replicas`, which reports on all its instances itself."""


def run(request: LaunchRequest, *, dry_run: bool, as_json: bool) -> int:
    """Serve the app until it is stopped, or print the plan on stdout; return the exit code."""
    from stlaunch.process import quick_start  # noqa: PLC0415 - for this command alone

    is_instance = os.environ.pop(IS_INSTANCE, None) is not None
    quick_start.begin()
    # Late: this is where Streamlit and the server come in.
    from stlaunch.launcher.facts import gather_facts  # noqa: PLC0415
    from stlaunch.launcher.plan import plan_launch  # noqa: PLC0415
    from stlaunch.launcher.render import render_plan  # noqa: PLC0415
    from stlaunch.launcher.serve import serve  # noqa: PLC0415
    from stlaunch.process.exit import exit_within  # noqa: PLC0415
    from stlaunch.process.streams import flush_or_drop  # noqa: PLC0415
    from stlaunch.streamlit_adapter import parse_metadata_once  # noqa: PLC0415

    parse_metadata_once()
    plan = plan_launch(request, gather_facts(request, os.environ))
    if dry_run:
        print(render_plan(plan, as_json))
        return ExitCode.OK
    on_ready = _keep_silent if is_instance else _announce
    code = serve(plan, on_ready=on_ready, is_own_process=True, is_replica=is_instance)
    from stlaunch.process.children import end_children  # noqa: PLC0415 - needs psutil, which is slow

    end_children()
    flush_or_drop("stdout")  # what the script printed
    exit_within(_EXIT_S, code)
    return code


def _announce(banner: str) -> None:
    from stlaunch.process import quick_start  # noqa: PLC0415 - see above

    quick_start.end()
    say(sys.stderr, f"{banner}\n")


def _keep_silent(_banner: str) -> None:
    from stlaunch.process import quick_start  # noqa: PLC0415 - see above

    quick_start.end()


class _RunCommand(AppCommand):
    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"{help_text.PROMISE}\n\n")
        formatter.write_usage(_PROGRAM, help_text.USAGE)
        formatter.write_usage(_PROGRAM, "COMMAND --help", prefix="       ")
        formatter.write(f"\n{help_text.ABOUT}\n")
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])
        self.format_options(ctx, formatter)
        formatter.write(f"\nExamples:\n{help_text.examples()}\n")


def _run(ctx: click.Context, app: tuple[str, ...]) -> int:
    if ctx.params["json"] and not ctx.params["dry_run"]:
        raise UsageError("--json needs --dry-run.", hint="Add --dry-run.")
    request = request_of(ctx, app)
    return run(request, dry_run=ctx.params["dry_run"], as_json=ctx.params["json"])


def _print_version(ctx: click.Context, _param: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        click.echo(f"{_PROGRAM} {__version__}")
        ctx.exit()


def _options() -> list[click.Parameter]:
    return [
        *app_parameters(),
        click.Option(["--dry-run"], is_flag=True, help="Show what would be started, and exit."),
        click.Option(["--json"], is_flag=True, help="With --dry-run: print JSON."),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ]


run_command = _RunCommand(
    name="run",
    params=_options(),
    callback=click.pass_context(lambda ctx, app, **_: _run(ctx, app)),
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": _WIDTH,
    },
)
