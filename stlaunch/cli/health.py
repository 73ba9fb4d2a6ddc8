"""`stlaunch health` as a command; `stlaunch.cli.quick_health` does the work."""

from __future__ import annotations

import os

import click

from stlaunch.cli.quick_health import HELP, main


class _HealthCommand(click.Command):
    """A command whose words and help are read without click, which `__main__` never loads."""

    def format_help(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(HELP)


health = _HealthCommand(
    name="health",
    params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
    callback=lambda words: main(list(words), os.environ),
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
)
