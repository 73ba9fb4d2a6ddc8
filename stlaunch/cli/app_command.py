"""Parse the command line of a command that is about one app, into a request.

It must stay cheap: neither streamlit nor a server is imported for `--help` and `--version`.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from stlaunch.cli.arguments import Arguments, split_arguments
from stlaunch.cli.commands import COMMANDS
from stlaunch.errors import UsageError
from stlaunch.process.working_folder import working_folder
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.request import LaunchRequest, read_request
from stlaunch.settings.resolve import resolve_settings
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.settings.target import DEFAULT_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Sequence


class AppCommand(click.Command):
    """A command about one app: Streamlit's flags are taken out before click sees the words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the sorted words in `ctx.obj`."""
        if ctx.resilient_parsing and args and args[-1].startswith("--"):
            args = args[:-1]  # a shell completes the value of the last flag
        ctx.obj = split = split_arguments(args)
        return super().parse_args(ctx, split.own)


def request_of(ctx: click.Context, app: Sequence[str]) -> LaunchRequest:
    """Return the request that an app command's words, and all other places, make.

    Raises:
        UsageError: for words that cannot be used.
    """
    given: Arguments = ctx.obj
    cwd = working_folder()
    request = read_request(
        _only_app(app, cwd),
        cwd=cwd,
        values={field.name: ctx.params[field.name] for field in FIELDS},
        environ=os.environ,
        script_args=given.script_args,
        streamlit_flags=given.streamlit_flags,
        commands=COMMANDS,
    )
    resolve_settings(request.raw)  # a bad value is reported before Streamlit is imported
    return request


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
            got = f"stlaunch runs one app, but got {', '.join(map(repr, words))}."
            if (cwd / " ".join(words)).is_file():
                raise UsageError(got, hint=f"Write its name in quotes: {' '.join(words)!r}")
            meant = did_you_mean(words[0], COMMANDS)
            if meant and not (cwd / words[0]).exists():
                raise UsageError(f"There is no command {words[0]!r}.", hint=meant)
            raise UsageError(
                got,
                hint=f"Arguments for the script go after --: stlaunch {words[0]} -- "
                f"{' '.join(words[1:])}\nIf a public path is also a file name, write it "
                "with =: --behind-proxy=PATH",
            )


def _complete_choice(
    choices: tuple[str, ...], ctx: click.Context, param: click.Parameter, text: str
) -> list[CompletionItem]:
    matching = [CompletionItem(choice) for choice in choices if choice.startswith(text)]
    return matching if choices else _complete_file(ctx, param, text)


def _complete_file(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem]:
    return [CompletionItem(text, type="file")]
