"""What the linter says: findings with a place, what it did not understand, and edits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stlaunch.diagnostics.catalogue import Entry, entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one file.

    Attributes:
        file: the file.
        line: the first line that goes, from 1; the new lines stand in its place.
        removed: how many lines go.
        lines: the new ones, without their indentation.
        margin_of: the line whose indentation they get.
    """

    file: Path
    line: int
    removed: int
    lines: tuple[str, ...]
    margin_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing that breaks or weakens the app.

    Attributes:
        code: of `stlaunch.diagnostics.catalogue`.
        file: where.
        line: from 1.
        detail: what is there, or is missing, in one sentence.
        fix: the lines that mend it, to read.
        edits: what `--fix` does; empty where a person has to decide.
    """

    code: str
    file: Path
    line: int
    detail: str
    fix: str = ""
    edits: tuple[Edit, ...] = ()

    @property
    def entry(self) -> Entry:
        """What the code means."""
        return entry(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that was not understood, and so not judged."""

    file: Path
    line: int
    text: str


@dataclass(slots=True, kw_only=True)
class Report:
    """Everything about the files of one run."""

    findings: list[LintFinding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    """The routes that lead to the app, in words."""
    files: list[Path] = field(default_factory=list)
    """All files that were read, includes too."""

    def extend(self, other: Report) -> None:
        """Take in another report."""
        self.findings += other.findings
        self.notes += other.notes
        self.routes += other.routes
        self.files += [file for file in other.files if file not in self.files]

    def sort(self) -> None:
        """Order by place, and drop what is said twice."""
        unique = {(str(f.file), f.line, f.code, f.detail): f for f in self.findings}
        self.findings = [unique[key] for key in sorted(unique)]
        notes = {(str(n.file), n.line, n.text): n for n in self.notes}
        self.notes = [notes[key] for key in sorted(notes)]
