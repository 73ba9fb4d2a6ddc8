"""Shell completion: `stlaunch completion bash` prints the script, the script asks `complete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from stlaunch.cli.commands import COMMANDS, COMPLETION_VARIABLE
from stlaunch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM = "stlaunch"
_SHELLS = ("bash", "zsh", "fish")


def complete(instruction: str, run_command: click.Command) -> int:
    """Print the completions for the command line that the shell describes in its variables.

    Args:
        instruction: the value of `COMPLETION_VARIABLE`.
        run_command: the command that needs no name.
    """
    shell, _, what = instruction.partition("_")
    kind = get_completion_class(shell)
    if kind is None or what != "complete":
        raise UsageError(
            f"{COMPLETION_VARIABLE} is {instruction!r}, which is not a request from a known shell.",
            hint=f"Unset {COMPLETION_VARIABLE}; see: stlaunch completion --help",
        )
    shell_complete = kind(run_command, {}, _PROGRAM, COMPLETION_VARIABLE)
    words, incomplete = shell_complete.get_completion_args()
    for item in _items(shell_complete, words, incomplete):
        print(shell_complete.format_completion(item))
    return ExitCode.OK


def _items(
    shell_complete: ShellComplete, words: Sequence[str], incomplete: str
) -> list[CompletionItem]:
    if words and words[0] in COMMANDS:
        shell_complete.cli = COMMANDS[words[0]].load()
        words = words[1:]
    elif not words:
        # Commands first, files where none fits: bash cannot be offered both.
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        if names:
            return [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
    try:
        return shell_complete.get_completions(list(words), incomplete)
    except UsageError:  # half a command line is often not a good one
        return []


@click.command(
    "completion",
    short_help="Print the shell completion script.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Example, in ~/.bashrc: eval "$(stlaunch completion bash)"',
)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> int:
    """Print the script that completes stlaunch's commands and options in SHELL."""
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"There is no completion for {shell!r}.", hint=", ".join(_SHELLS))
    print(kind(completion, {}, _PROGRAM, COMPLETION_VARIABLE).source())
    return ExitCode.OK
