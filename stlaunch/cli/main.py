"""The door: finds the command that was meant, and hands its words over; it starts nothing itself.

It must stay cheap: neither streamlit nor a server is imported for `--help` and `--version`.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from stlaunch import __version__
from stlaunch.cli import help_text
from stlaunch.cli.arguments import Arguments, split_arguments
from stlaunch.cli.commands import COMMANDS, COMPLETION_VARIABLE
from stlaunch.cli.entry import invoke
from stlaunch.cli.errors import run_guarded
from stlaunch.cli.run import run
from stlaunch.errors import UsageError
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.project import read_project
from stlaunch.settings.resolve import resolve_settings
from stlaunch.settings.target import DEFAULT_SCRIPT, resolve_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stlaunch.settings.model import Settings

_PROGRAM = "stlaunch"
_WIDTH = 100


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are told on stderr."""
    return run_guarded(partial(_dispatch, argv), environ=os.environ, stderr=sys.stderr)


def _dispatch(argv: Sequence[str]) -> int:
    if asked := os.environ.get(COMPLETION_VARIABLE):
        from stlaunch.cli.completion import complete  # noqa: PLC0415 - only when a shell asks

        return complete(asked, run_command)
    word = argv[0] if argv else ""
    # A file or folder with a command's name is reached as ./demo.
    command = COMMANDS[word].load() if word in COMMANDS else run_command
    name = _PROGRAM if command is run_command else f"{_PROGRAM} {word}"
    return invoke(command, name, argv[1:] if word in COMMANDS else argv)


class AppCommand(click.Command):
    """A command about one app: Streamlit's flags are taken out before click sees the words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the sorted words in `ctx.obj`."""
        if ctx.resilient_parsing and args and args[-1].startswith("--"):
            args = args[:-1]  # a shell completes the value of the last flag
        ctx.obj = split = split_arguments(args)
        return super().parse_args(ctx, split.own)


class _RunCommand(AppCommand):
    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"{help_text.PROMISE}\n\n")
        formatter.write_usage(_PROGRAM, help_text.USAGE)
        formatter.write_usage(_PROGRAM, "COMMAND --help", prefix="       ")
        formatter.write(f"\n{help_text.ABOUT}\n")
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])
        self.format_options(ctx, formatter)
        formatter.write(f"\nExamples:\n{help_text.EXAMPLES}\n")


def _run(ctx: click.Context, app: tuple[str, ...]) -> int:
    if ctx.params["json"] and not ctx.params["dry_run"]:
        raise UsageError("--json needs --dry-run.", hint="Add --dry-run.")
    settings = settings_of(ctx, app)
    return run(settings, dry_run=ctx.params["dry_run"], as_json=ctx.params["json"])


def settings_of(ctx: click.Context, app: Sequence[str]) -> Settings:
    """Return the settings that the words of an app command, and all other places, give.

    Raises:
        UsageError: for words that cannot be used.
    """
    given: Arguments = ctx.obj
    cwd = Path.cwd()
    text = _only_app(app, cwd)
    target = resolve_target(text, cwd, commands=COMMANDS)
    project, project_where = read_project(target.path.parent if target.path else cwd)
    return resolve_settings(
        target=text,
        script_args=given.script_args,
        streamlit_flags=given.streamlit_flags,
        values={field.name: ctx.params[field.name] for field in FIELDS},
        environ=os.environ,
        project=project,
        project_where=project_where,
    )


def _only_app(words: Sequence[str], cwd: Path) -> str:
    match words:
        case []:
            if (cwd / DEFAULT_SCRIPT).is_file():
                return DEFAULT_SCRIPT
            raise UsageError(
                f"You named no app, and this folder has no {DEFAULT_SCRIPT}.",
                hint="Run: stlaunch app.py --behind-proxy /streamlitApp\nSee also: stlaunch --help",
            )
        case [word]:
            return word
        case _:
            raise UsageError(
                f"stlaunch runs one app, but got {', '.join(map(repr, words))}.",
                hint=f"Arguments for the script go after --: stlaunch {words[0]} -- "
                f"{' '.join(words[1:])}\nIf a public path is also a file name, write it "
                "with =: --behind-proxy=PATH",
            )


def _print_version(ctx: click.Context, _param: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        click.echo(f"{_PROGRAM} {__version__}")
        ctx.exit()


def _complete_choice(
    choices: tuple[str, ...], ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    matching = [CompletionItem(choice) for choice in choices if choice.startswith(text)]
    return matching if choices else _complete_file(ctx, param, text)


def _complete_file(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem]:
    return [CompletionItem(text, type="file")]


def app_parameters() -> list[click.Parameter]:
    """Return the app and every setting as parameters of an `AppCommand`."""
    from_table = [
        click.Option(
            [field.flag, field.name],
            metavar=field.metavar,
            help=field.help,
            multiple=True,  # the parser of a single value takes the last one
            shell_complete=partial(_complete_choice, field.choices),
        )
        for field in FIELDS
    ]
    return [
        click.Argument(["app"], nargs=-1, required=False, shell_complete=_complete_file),
        *from_table,
    ]


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
