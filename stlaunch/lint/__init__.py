"""Lint proxy configurations: report what breaks or weakens a Streamlit app.

Only what is certain is reported; what was not understood is a note.
"""

from __future__ import annotations

from stlaunch.lint.app import App
from stlaunch.lint.findings import Edit, LintFinding, Note, Report
from stlaunch.lint.kinds import FileKind
from stlaunch.lint.read import lint_file, lint_files, lint_text

__all__ = [
    "App",
    "Edit",
    "FileKind",
    "LintFinding",
    "Note",
    "Report",
    "lint_file",
    "lint_files",
    "lint_text",
]
