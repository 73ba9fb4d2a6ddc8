"""Split line-oriented configurations into numbered words, without comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

_MAX_LINES = 50_000
_MAX_STATEMENT = 100_000
_WORD = re.compile(
    r"""
    (?P<space>\s+) | (?P<comment>\#.*) |
    (?P<word>(?:\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s"'\\\#]|(?<=\S)\#|["'\\])+)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTING = re.compile(r"""[\\"']""")
_PIECE = re.compile(r"""\\(.)|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|(.)""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One statement and where it begins, from 1."""

    number: int
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first word, in lower case."""
        return self.words[0].lower()


def statements(text: str, path: Path) -> Iterator[Line]:
    """Yield the statements; an unclosed quote is a character like any other.

    Raises:
        UsageError: for more than any proxy's configuration has.
    """
    start, length = 0, 0
    held: list[str] = []
    for number, raw in enumerate(text.split("\n"), 1):
        if number > _MAX_LINES:
            raise UsageError(f"{path} has more than {_MAX_LINES} lines.")
        line = raw.strip()
        start = start if held else number
        length = length + len(line) if held else len(line)
        if length > _MAX_STATEMENT:
            raise UsageError(f"{path}, line {start}, continues over too many lines.")
        if line.endswith("\\") and not line.startswith("#"):
            held.append(line[:-1])
            continue
        joined = " ".join([*held, line])
        held = []
        if words := tuple(_words(joined)):
            yield Line(start, words)


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        if match.lastgroup == "comment":
            return
        if match.lastgroup == "word":
            word = match[0]
            yield _PIECE.sub(_unquoted, word) if _QUOTING.search(word) else word


def _unquoted(match: re.Match[str]) -> str:
    escaped, double, single, plain = match.groups()
    if escaped is not None:
        # A backslash belongs to most expressions: `\.` stays, `\ ` is a space.
        return escaped if escaped in " \t\"'#\\" else f"\\{escaped}"
    if double is not None or single is not None:
        inner = double if double is not None else single
        return re.sub(r'\\(["\'])', r"\1", inner)
    return plain
