"""Compose a configuration from a template and lines, with a reason for each.

A template is the skeleton of one file. Its own marks, each at the beginning of a line:

    @place        here go the lines for this place, in the order of the needs
    #: why        why the lines below are there, up to the next blank line or mark
    ?name TEXT    TEXT, where the fact holds; ?!name TEXT where it does not
    #[ where      everything up to `#]` is also the snippet for an existing site
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from stlaunch.proxies.model import Part
from stlaunch.proxies.site import fill
from stlaunch.quick_dataclass import dataclass

_WIDTH = 96
_PLACE = re.compile("@[a-z_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines that are there for one reason.

    Attributes:
        lines: as written in the file, indented.
        why: one sentence.
        is_continued: the reason is already given above.
        snippet: the words of the snippet's place that the lines belong to; empty outside of it.
    """

    lines: tuple[str, ...]
    why: str
    is_continued: bool = False
    snippet: str = ""


def compose(
    template: str,
    values: Mapping[str, str],
    *,
    parts: Mapping[str, Sequence[Part]],
    facts: Mapping[str, bool],
) -> tuple[Group, ...]:
    """Fill in a template.

    Args:
        template: see above.
        values: those of the `<<names>>`.
        parts: the lines for each place; a place without any is left out.
        facts: what `?name` asks for.
    """
    composer = _Composer(values, parts)
    for raw in template.splitlines():
        known = _conditional(raw, facts)
        if known is not None:
            composer.add(*known)
    composer.close()
    return tuple(composer.groups)


def _conditional(raw: str, facts: Mapping[str, bool]) -> tuple[str, str] | None:
    """Return the margin and the text of a line; None where a fact forbids it."""
    text = raw.lstrip()
    margin = raw[: len(raw) - len(text)]
    while text.startswith("?"):
        condition, _, text = text[1:].partition(" ")
        if facts[condition.lstrip("!")] == condition.startswith("!"):
            return None
        margin += text[: len(text) - len(text.lstrip())]
        text = text.lstrip()
    return margin, text


class _Composer:
    """The groups so far, and the one that is being filled."""

    def __init__(self, values: Mapping[str, str], parts: Mapping[str, Sequence[Part]]) -> None:
        self.groups: list[Group] = []
        self._values = values
        self._parts = parts
        self._lines: list[str] = []
        self._why = self._snippet = ""
        self._is_continued = False

    def add(self, margin: str, text: str) -> None:
        """Take in one line of the template."""
        if text.startswith("#: "):
            self.close()
            self._why, self._is_continued = fill(text.removeprefix("#: "), self._values), False
        elif text.startswith("#["):
            self.close()
            self._snippet = fill(text.removeprefix("#[ "), self._values)
        elif text == "#]":
            self.close()
            self._snippet = ""
        elif _PLACE.fullmatch(text):
            self._add_parts(margin, text.removeprefix("@"))
        elif text:
            self._lines.append(fill(margin + text, self._values))
        else:
            self.close()
            self.groups.append(Group(lines=("",), why="", snippet=self._snippet))

    def close(self) -> None:
        """End the group that is being filled."""
        if not self._lines:
            return
        self.groups.append(
            Group(
                lines=tuple(self._lines),
                why=self._why,
                is_continued=self._is_continued,
                snippet=self._snippet,
            )
        )
        self._lines.clear()
        self._is_continued = True

    def _add_parts(self, margin: str, place: str) -> None:
        self.close()
        for part in self._parts.get(place, ()):
            lines = tuple(textwrap.indent(part.lines, margin).splitlines())
            self.groups.append(Group(lines=lines, why=part.why, snippet=self._snippet))


def commented(text: str, comment: str) -> str:
    """Return one line of comment; in XML, it may not contain two hyphens."""
    return comment.format(text.replace("--", "- -") if comment.startswith("<") else text)


def whole(groups: Iterable[Group], comment: str) -> str:
    """Return the file, each reason as a comment before its lines.

    Args:
        groups: from `compose`.
        comment: how the language marks a comment, with `{}` for its text: `# {}`.
    """
    lines: list[str] = []
    for group in groups:
        if group.why and not group.is_continued:
            margin = group.lines[0][: len(group.lines[0]) - len(group.lines[0].lstrip())]
            width = _WIDTH - len(margin)
            wrapped = textwrap.wrap(group.why, width)
            lines.extend(margin + commented(text, comment) for text in wrapped)
        lines.extend(group.lines)
    return _tidy(lines)


def snippets(groups: Iterable[Group], comment: str) -> str:
    """Return only what is pasted into an existing site, each block under its place."""
    blocks: dict[str, list[Group]] = {}
    for group in groups:
        if group.snippet:
            blocks.setdefault(group.snippet, []).append(group)
    texts = [
        commented(where, comment) + "\n" + textwrap.dedent(whole(block, comment)).strip("\n") + "\n"
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
