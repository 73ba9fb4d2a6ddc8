"""Line-oriented configurations as numbered words; comments and continued lines undone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One statement and where it begins, from 1."""

    number: int
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first word, in lower case."""
        return self.words[0].lower()


def statements(text: str) -> Iterator[Line]:
    """Go through the statements; one whose quotes do not close is cut at spaces."""
    start, held = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        joined = f"{held} {raw.strip()}" if held else raw.strip()
        start = start if held else number
        if joined.endswith("\\"):
            held = joined[:-1]
            continue
        held = ""
        if not joined or joined.startswith("#"):
            continue
        try:
            words = shlex.split(joined, comments=False)
        except ValueError:
            words = joined.split()
        comment = next((n for n, word in enumerate(words) if word.startswith("#")), len(words))
        words = words[:comment]
        if words:
            yield Line(start, tuple(words))
