"""Find the blocks of a text in braces, for languages that are read by their lines alone. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import field

from stlaunch.quick_dataclass import dataclass

Scope = tuple[int, ...]
"""The positions of the braces that are open, from the outside in."""
_MAX_DEPTH = 60
_MAX_NAME_CHARS = 300
_LONG_STRINGS = r'\{"[\s\S]*?(?:"\}|\Z)|'


@dataclass(slots=True)
class Blocks:
    """A text, and which of its blocks a position is in.

    Args:
        raw: the text.
        comments: regular expressions of comments.
        has_long_strings: `{"..."}` is a string, as in VCL.
    """

    raw: str
    comments: tuple[str, ...]
    has_long_strings: bool = False
    text: str = field(init=False)
    """The text with spaces for its comments: positions stay."""
    _lines: list[int] = field(init=False)
    _at: list[int] = field(init=False, default_factory=lambda: [0])
    _scopes: list[Scope] = field(init=False, default_factory=lambda: [()])

    def __post_init__(self) -> None:
        """Read the text once."""
        long_strings = _LONG_STRINGS if self.has_long_strings else ""
        strings = rf'(?P<string>{long_strings}"(?:\\.|[^"\\\n])*")'
        pattern = re.compile(f"{strings}|(?P<comment>{'|'.join(self.comments)})|[{{}}]")
        pieces: list[str] = []
        end = 0
        scope: Scope = ()
        for found in pattern.finditer(self.raw):
            if found["comment"] is not None:
                pieces += [self.raw[end : found.start()], re.sub(r"[^\n]", " ", found[0])]
                end = found.end()
            elif found["string"] is None:
                scope = (*scope, found.start()) if found[0] == "{" else scope[:-1]
                if len(scope) > _MAX_DEPTH:
                    scope = scope[:_MAX_DEPTH]
                self._at.append(found.start())
                self._scopes.append(scope)
        self.text = "".join([*pieces, self.raw[end:]])
        self._lines = [match.start() for match in re.finditer("\n", self.raw)]

    def line(self, position: int) -> int:
        """Return the line of a position, from 1."""
        return bisect_right(self._lines, position - 1) + 1

    def start_of(self, line: int) -> int:
        """Return where a line begins."""
        return self._lines[line - 2] + 1 if line > 1 else 0

    def scope(self, position: int) -> Scope:
        """Return the blocks around a position."""
        return self._scopes[bisect_right(self._at, position) - 1]

    def name_of(self, brace: int) -> str:
        """Return the text before a block's brace."""
        front = self.text[max(0, brace - _MAX_NAME_CHARS) : brace]
        return re.split(r"[;{}\n]", front.rstrip())[-1].strip()
