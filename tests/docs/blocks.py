"""The blocks of code in the README and the handbook, in order; it runs none of them.

A comment `<!-- not run: REASON -->` above a block says why no test runs or validates it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.docs.generated import documents

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
OUTPUT = "text"
"""The language of what a command prints; nothing to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of code.

    Attributes:
        page: the document's name without its ending.
        language: `sh`, `nginx` and so on.
        reason: why it is not run; empty where it is.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str = ""

    @property
    def where(self) -> str:
        """The place, as a test's id."""
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The command lines of a shell block, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def blocks() -> list[Block]:
    """Return every block of every document, in the order of reading; output left out."""
    return [block for path in documents() for block in _blocks_of(path) if block.language != OUTPUT]


def _blocks_of(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            page=path.stem,
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            text=found["text"],
            reason=found["reason"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]
