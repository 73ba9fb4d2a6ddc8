"""nginx configurations as trees of directives, includes followed; it judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crossplane

from stlaunch.errors import UsageError
from stlaunch.lint.findings import Note

_MAX_BYTES = 5_000_000


@dataclass(slots=True, kw_only=True, eq=False)
class Directive:
    """One directive, with the block below it where it has one."""

    name: str
    args: tuple[str, ...]
    file: Path
    line: int
    block: list[Directive] | None = None
    parent: Directive | None = field(default=None, repr=False)

    def all(self, name: str) -> list[Directive]:
        """Return the directives of this name that stand directly in the block."""
        return [child for child in self.block or () if child.name == name]

    def last(self, name: str) -> Directive | None:
        """Return the one that counts: the last of this name in the block."""
        found = self.all(name)
        return found[-1] if found else None

    def walk(self) -> Iterator[Directive]:
        """Go through everything below."""
        for child in self.block or ():
            yield child
            yield from child.walk()

    def ancestors(self) -> Iterator[Directive]:
        """Go outwards, this directive first."""
        here: Directive | None = self
        while here is not None:
            yield here
            here = here.parent

    def inherited(self, name: str) -> Directive | None:
        """Return the value in force for a directive that the innermost level decides."""
        for level in self.ancestors():
            if found := level.last(name):
                return found
        return None

    def inherited_all(self, name: str) -> list[Directive]:
        """Return the list in force: a level that has any replaces those of the outer levels."""
        for level in self.ancestors():
            if found := level.all(name):
                return found
        return []


def read_nginx(path: Path) -> tuple[Directive, list[Note], list[Path]]:
    """Read a file and all that it includes, as the block of a nameless directive.

    Raises:
        UsageError: for a file that cannot be read, or is no nginx configuration.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise UsageError(f"{path} is larger than {_MAX_BYTES} bytes.")
    payload = crossplane.parse(
        str(path), check_ctx=False, check_args=False, strict=False, comments=False
    )
    configs: Sequence[dict[str, Any]] = payload["config"]
    notes = [
        Note(file=Path(error["file"]), line=error.get("line") or 1, text=_said(error["error"]))
        for error in payload["errors"]
    ]
    first_errors = configs[0]["errors"] if configs else payload["errors"]
    if not configs or (first_errors and not configs[0]["parsed"]):
        said = notes[0].text if notes else "it is empty"
        raise UsageError(f"{path} is not an nginx configuration: {said}")
    root = Directive(name="", args=(), file=path, line=1, block=[])
    root.block = list(_children(configs, 0, root, (0,)))
    return root, notes, [Path(config["file"]) for config in configs]


def _children(
    configs: Sequence[dict[str, Any]], number: int, parent: Directive, path: tuple[int, ...]
) -> Iterator[Directive]:
    yield from _converted(configs, configs[number]["parsed"], configs[number]["file"], parent, path)


def _converted(
    configs: Sequence[dict[str, Any]],
    statements: Sequence[dict[str, Any]],
    file: str,
    parent: Directive,
    path: tuple[int, ...],
) -> Iterator[Directive]:
    for statement in statements:
        if statement["directive"] == "include":
            for number in statement.get("includes", ()):
                if number not in path:  # a file that includes itself
                    yield from _children(configs, number, parent, (*path, number))
            continue
        directive = Directive(
            name=statement["directive"],
            args=tuple(statement["args"]),
            file=Path(file),
            line=statement["line"],
            parent=parent,
        )
        if "block" in statement:
            directive.block = list(_converted(configs, statement["block"], file, directive, path))
        yield directive


def _said(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
