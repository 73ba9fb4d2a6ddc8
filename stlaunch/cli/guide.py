"""`stlaunch guide`: read the handbook offline; its pages are the files in `stlaunch/handbook`.

It formats and pages. It must not know what is on any page, and loads Rich only to show one.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from stlaunch.cli.errors import has_colour
from stlaunch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Not importlib.resources, which takes longer to import than this command takes to run.
HANDBOOK = Path(__file__).parents[1] / "handbook"
_CONTENTS = HANDBOOK / "README.md"
_ITEM = re.compile(r"^- \[(?P<name>[a-z-]+)\]\((?P=name)\.md\): (?P<summary>.+)$", re.MULTILINE)
_MARKER = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)")
_MAX_WIDTH = 100


def pages() -> Mapping[str, str]:
    """Return each page's name and summary, in the order of the table of contents."""
    return dict(_ITEM.findall(_CONTENTS.read_text(encoding="utf-8")))


def source(page: str) -> str:
    """Return the Markdown of a page."""
    return (HANDBOOK / f"{page}.md").read_text(encoding="utf-8")


def without_files(markdown: str) -> str:
    """Replace links to files with what a reader without them can use.

    `[security](security.md)` becomes ``security (`stlaunch guide security`)``, and a link to a file
    of the repository keeps its text alone.
    """
    return _LINK.sub(_link_without_file, _MARKER.sub("", markdown))


def _link_without_file(link: re.Match[str]) -> str:
    text, target = link["text"], link["target"]
    name, is_page, _ = target.partition(".md")
    if "://" in target:
        return link[0]
    if is_page and "/" not in name:
        return f"{text} (`stlaunch guide {name}`)"
    return text


def render(markdown: str, *, width: int, is_coloured: bool) -> str:
    """Return Markdown as a terminal of this width shows it; lines of code are never wrapped."""
    import io  # noqa: PLC0415 - the list of pages needs neither

    from rich.console import Console  # noqa: PLC0415

    from stlaunch.cli.guide_markdown import GUIDE_THEME, GuideMarkdown  # noqa: PLC0415

    console = Console(
        file=io.StringIO(),
        width=min(width, _MAX_WIDTH),
        force_terminal=is_coloured,
        color_system="standard" if is_coloured else None,
        legacy_windows=False,
        theme=GUIDE_THEME,
    )
    with console.capture() as capture:
        console.print(GuideMarkdown(without_files(markdown)), crop=False)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _complete(_ctx: click.Context, _param: click.Parameter, text: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=summary)
        for name, summary in pages().items()
        if name.startswith(text)
    ]


def _contents() -> Iterator[str]:
    known = pages()
    width = max(map(len, known))
    yield "The handbook's pages; stlaunch guide PAGE shows one."
    yield ""
    for name, summary in known.items():
        yield f"  {name:{width}}  {summary.replace('`', '')}"


@click.command(
    "guide",
    short_help="Read the handbook.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: stlaunch guide proxies",
)
@click.argument("page", required=False, shell_complete=_complete)
@click.option("--markdown", is_flag=True, help="Print the page's Markdown source.")
def guide(page: str | None, *, markdown: bool) -> int:
    """Show a page of the handbook, or the list of pages."""
    if page is None:
        click.echo(_CONTENTS.read_text(encoding="utf-8") if markdown else "\n".join(_contents()))
        return ExitCode.OK
    known = pages()
    name = page.lower().removesuffix(".md")
    if name not in known:
        from stlaunch.settings.suggestion import did_you_mean  # noqa: PLC0415 - after a mistake

        raise UsageError(
            f"The handbook has no page {page!r}.",
            hint=did_you_mean(name, known) or f"Pages: {', '.join(known)}.",
        )
    if markdown:
        click.echo(source(name), nl=False)
        return ExitCode.OK
    is_coloured = has_colour(os.environ, sys.stdout)
    width = shutil.get_terminal_size().columns
    text = render(source(name), width=width, is_coloured=is_coloured)
    if sys.stdout.isatty():
        click.echo_via_pager(text, color=None if is_coloured else False)  # None: asks the pager
    else:
        click.echo(text, nl=False)
    return ExitCode.OK
