"""The linter's report as text: for a terminal, or to be read by editors and scripts.

It prints nothing. What a file said is made printable before any colour is added.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from stlaunch.cli.errors import printable
from stlaunch.lint import LintFinding, Report
from stlaunch.quick_dataclass import dataclass

# Legible on black and on white; see `stlaunch.check.formats.text`.
_COLOURS = {"error": "red", "warning": "magenta"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the text is shown.

    Attributes:
        width: where words are wrapped; None for a reader that wants one line for each finding.
        is_coloured: with colours.
    """

    width: int | None = None
    is_coloured: bool = False

    def style(self, text: str, **style: bool | str) -> str:
        """Return the text with a style, where there are styles."""
        return click.style(text, **style) if self.is_coloured else text  # type: ignore[arg-type]


def render_report(
    report: Report, diff: str, tries: Sequence[str], *, look: Look, is_fixing: bool = False
) -> str:
    """Return findings, notes and the difference; one that is applied has the lines of all fixes."""
    lines: list[str] = []
    for finding in report.findings:
        lines += _head(finding, look)
        if not (is_fixing and diff):
            lines += [*fix_of(finding), ""]
    lines += [printable(f"{note.file}:{note.line}: note: {note.text}") for note in report.notes]
    lines += [printable(line) for line in tries]
    if diff:
        lines += [] if lines and not lines[-1] else [""]
        lines += [] if is_fixing else ["--fix would change:", ""]
        lines += [_changed(line, look) for line in printable(diff).rstrip("\n").split("\n")]
    elif report.findings:
        lines.append("--fix changes nothing here: what is wrong has to be changed by hand.")
    found = (("route", len(report.routes)), ("finding", len(report.findings)))
    routes, findings, notes = (
        counted(n, what) for what, n in (*found, ("note", len(report.notes)))
    )
    lines.append(f"{routes} to the app, {findings}, {notes}.")
    return "\n".join(lines) + "\n"


def head_of(finding: LintFinding) -> str:
    """Return the place, the code and the fact, as editors and compilers write it."""
    return f"{finding.file}:{finding.line}: {finding.code} {finding.severity}: {finding.detail}"


def fix_of(finding: LintFinding) -> list[str]:
    """Return the lines of its fix, below its head."""
    return [f"    {printable(line)}" for line in finding.fix.splitlines()]


def counted(number: int, what: str) -> str:
    """Return `1 route`, `2 routes`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _head(finding: LintFinding, look: Look) -> list[str]:
    text = printable(head_of(finding))
    lines = [text]
    if look.width is not None:
        lines = textwrap.wrap(
            text, max(look.width, 20), subsequent_indent="  ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    severity = str(finding.severity)
    colour = _COLOURS.get(severity)
    if colour is not None:
        lines[0] = lines[0].replace(f" {severity}:", f" {look.style(severity, fg=colour)}:", 1)
    return lines


def _changed(line: str, look: Look) -> str:
    if line.startswith("@@"):
        return look.style(line, dim=True)
    if line.startswith(("+", "---")):
        return look.style(line, bold=True)
    return look.style(line, fg="red") if line.startswith("-") else line
