"""The handbook's table of failures: the tests that show its rows exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.test_security import missing_tests

PAGE = Path(__file__).parents[2] / "stlaunch" / "handbook" / "failures.md"


def test_each_failure_is_shown_by_tests_that_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!---|what fails)", text, re.MULTILINE)
    comment = text.partition("<!-- shown by")[2].partition("-->")[0]
    nodes = re.findall(r"^(tests/[\w/]+\.py)::(\w+)$", comment, re.MULTILINE)

    assert missing_tests(nodes) == []
    assert len(nodes) >= len(rows) >= 15
