"""What the linter reports: findings with a place, notes, routes and edits."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path

from stlaunch.diagnostics.catalogue import Entry, entry
from stlaunch.diagnostics.severity import Circumstance, Severity
from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one file.

    Attributes:
        file: the file.
        line: the first line to remove, from 1; the new lines take its place.
        removed: how many lines to remove.
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
        fix: the lines to add or change, to read.
        edits: what `--fix` does; empty where a person has to decide.
        milder: why this case hits fewer people than the code's usual one.
    """

    code: str
    file: Path
    line: int
    detail: str
    fix: str = ""
    edits: tuple[Edit, ...] = ()
    milder: Circumstance | None = None

    @property
    def entry(self) -> Entry:
        """What the code means."""
        return entry(self.code)

    @property
    def severity(self) -> Severity:
        """How badly a visitor is affected."""
        return self.entry.severity_under((self.milder,) if self.milder else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something worth knowing that is not a finding."""

    file: Path
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A place that requests are passed to, and that was not recognised as the app."""

    file: Path
    line: int
    target: str
    """`host:port` or `unix:/path`, as `--upstream` takes it."""


@dataclass(slots=True, kw_only=True)
class Report:
    """Everything about the files of one run."""

    findings: list[LintFinding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    """The routes that lead to the app, in words."""
    files: list[Path] = field(default_factory=list)
    """All files that were read, includes too."""
    elsewhere: list[Elsewhere] = field(default_factory=list)
    is_incomplete: bool = False
    """Something that may lead to the app was not understood; a note says what."""
    passes_nothing_on: bool = False
    """The file was understood and passes nothing on, so there is nothing to check."""

    def note(self, file: Path, line: int, text: str, *, is_gap: bool = False) -> None:
        """Add a note; a gap is one that may hide a route."""
        self.notes.append(Note(file=file, line=line, text=text))
        self.is_incomplete |= is_gap

    def pass_elsewhere(self, file: Path, line: int, target: str) -> None:
        """Record a target that is not the app."""
        self.elsewhere.append(Elsewhere(file=file, line=line, target=target))

    def extend(self, other: Report) -> None:
        """Merge another report."""
        self.findings += other.findings
        self.notes += other.notes
        self.routes += other.routes
        self.elsewhere += other.elsewhere
        self.is_incomplete |= other.is_incomplete
        self.passes_nothing_on |= other.passes_nothing_on
        self.files += [file for file in other.files if file not in self.files]

    def sort(self) -> None:
        """Order by place, and merge duplicates: each edit of one of them is kept."""
        unique: dict[tuple[str, int, str, str], LintFinding] = {}
        for one in self.findings:
            same = unique.setdefault((str(one.file), one.line, one.code, one.detail), one)
            more = tuple(edit for edit in one.edits if edit not in same.edits)
            unique[str(one.file), one.line, one.code, one.detail] = replace(
                same, edits=same.edits + more
            )
        self.findings = [unique[key] for key in sorted(unique)]
        notes = {(str(n.file), n.line, n.text): n for n in self.notes}
        self.notes = [notes[key] for key in sorted(notes)]
