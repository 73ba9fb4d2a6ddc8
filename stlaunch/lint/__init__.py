"""Reads proxy configurations and says what breaks or weakens a Streamlit app; it prints nothing.

Nothing is found where it is not sure; what was not understood is told as a note.
"""

from __future__ import annotations

from stlaunch.lint.app import App
from stlaunch.lint.findings import Edit, LintFinding, Note, Report
from stlaunch.lint.read import lint_file

__all__ = ["App", "Edit", "LintFinding", "Note", "Report", "lint_file"]
