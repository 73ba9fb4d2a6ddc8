"""A configuration as lines with their reasons, composed from a template and the remedies.

A template is the skeleton of one file. Its own marks, each at the beginning of a line:

    @place        here go the remedies' lines for this place, in the order of the needs
    #: why        why the lines below are there, up to the next blank line or mark
    ?name TEXT    TEXT, where the fact holds; ?!name TEXT where it does not
    #[ where      what stands up to `#]` is also the snippet for an existing site
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stlaunch.remedies import Part
from stlaunch.remedies.model import fill

_WIDTH = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines that are there for one reason.

    Attributes:
        lines: as they stand in the file, indented.
        why: one sentence; empty for blank lines and what closes a block.
        snippet: the words of the snippet's place that the lines belong to; empty outside of it.
    """

    lines: tuple[str, ...]
    why: str = ""
    snippet: str = ""


def compose(
    template: str,
    values: Mapping[str, str],
    *,
    parts: Mapping[str, Sequence[Part]],
    facts: Mapping[str, bool],
) -> tuple[Group, ...]:
    """Fill a template in.

    Args:
        template: see above.
        values: what the `<<names>>` stand for.
        parts: the lines for each place; a place without any is left out.
        facts: what `?name` asks for.
    """
    groups: list[Group] = []
    own: list[str] = []
    why = snippet = ""

    def close() -> None:
        if own:
            groups.append(Group(lines=tuple(own), why=why, snippet=snippet))
            own.clear()

    for raw in template.splitlines():
        text = raw.lstrip()
        margin = raw[: len(raw) - len(text)]
        while text.startswith("?"):
            condition, _, text = text[1:].partition(" ")
            if facts[condition.lstrip("!")] == condition.startswith("!"):
                break
            margin += text[: len(text) - len(text.lstrip())]
            text = text.lstrip()
        else:
            if text.startswith("#: "):
                close()
                why = text.removeprefix("#: ")
            elif text.startswith("#["):
                close()
                why, snippet = "", fill(text.removeprefix("#[ "), values)
            elif text == "#]":
                close()
                why = snippet = ""
            elif text.startswith("@"):
                close()
                why = ""
                for part in parts.get(text.removeprefix("@"), ()):
                    lines = textwrap.indent(part.lines, margin).splitlines()
                    groups.append(Group(lines=tuple(lines), why=part.why, snippet=snippet))
            elif not text:
                close()
                why = ""
                groups.append(Group(lines=("",), snippet=snippet))
            else:
                own.append(fill(margin + text, values))
    close()
    return tuple(groups)


def whole(groups: Iterable[Group], comment: str) -> str:
    """Return the file, each reason as a comment before its lines.

    Args:
        groups: of `compose`.
        comment: how the language marks a comment, with `{}` for its text: `# {}`.
    """
    lines: list[str] = []
    for group in groups:
        if group.why:
            margin = group.lines[0][: len(group.lines[0]) - len(group.lines[0].lstrip())]
            width = _WIDTH - len(margin)
            lines.extend(margin + comment.format(text) for text in textwrap.wrap(group.why, width))
        lines.extend(group.lines)
    return _tidy(lines)


def snippets(groups: Iterable[Group], comment: str) -> str:
    """Return only what is pasted into an existing site, each block under its place."""
    blocks: dict[str, list[Group]] = {}
    for group in groups:
        if group.snippet:
            blocks.setdefault(group.snippet, []).append(group)
    texts = [
        comment.format(where) + "\n" + textwrap.dedent(whole(block, comment)).strip("\n") + "\n"
        for where, block in blocks.items()
        if any(line.strip() for group in block for line in group.lines)
    ]
    return "\n".join(texts)


def explained(groups: Iterable[Group]) -> str:
    """Return every line with its number, and after each group why it is there."""
    lines: list[str] = []
    number = 0
    for group in groups:
        for line in group.lines:
            number += 1
            if line.strip():
                lines.append(f"{number:4}  {line}")
        if group.why:
            lines.extend(f"          {text}" for text in textwrap.wrap(f"^ {group.why}", _WIDTH))
    return "\n".join(lines) + "\n"


def _tidy(lines: Iterable[str]) -> str:
    """Join, with one blank line where several came together, and none before a closing mark."""
    kept: list[str] = []
    for line in lines:
        if not line.strip() and (not kept or not kept[-1].strip()):
            continue
        if line.strip() == "}" and kept and not kept[-1].strip():
            kept.pop()
        kept.append(line.rstrip())
    return "\n".join(kept).strip("\n") + "\n"
