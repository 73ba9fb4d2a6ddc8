"""Rich's Markdown, with code that can be pasted and tables that read well; imported late."""

from __future__ import annotations

from textwrap import indent
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.text import Text
from rich.theme import Theme

GUIDE_THEME = Theme(
    {
        "markdown.code": "magenta",
        "markdown.hr": "dim",
        "markdown.item.bullet": "bold",
        "markdown.item.number": "none",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)
"""Colours that are readable on light and on dark backgrounds."""


class _Code(CodeBlock):
    """Code as it is, indented: Rich would break lines that are meant to be pasted."""

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        yield Text(indent(code, "    "), style="magenta", no_wrap=True, overflow="ignore")


class _Heading(Heading):
    """A heading at the left margin."""

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        self.text.stylize("bold underline" if self.tag == "h1" else "bold")
        self.text.justify = "left"
        if self.tag != "h1":
            yield Text()
        yield self.text


class GuideMarkdown(Markdown):
    """A page of the handbook for the terminal."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "heading_open": _Heading,
    }

    def __init__(self, markup: str) -> None:
        super().__init__(markup, hyperlinks=False)
