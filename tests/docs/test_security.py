"""SECURITY.md: each promise names the tests that show it, and they exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PROMISES = "| may not | shown by |"
_NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _promises(text: str) -> list[tuple[str, str]]:
    """Return the rows of the tables, each as the promise and the cell that names tests."""
    rows, is_inside = [], False
    for line in text.splitlines():
        is_inside = line == _PROMISES or (is_inside and line.startswith("|"))
        if is_inside and line != _PROMISES and not line.startswith("| ---"):
            promise, _, shown = line.strip("| ").rpartition("|")
            rows.append((promise.strip(), shown.strip()))
    return rows


@cache
def _functions(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _trouble(promise: str, shown: str) -> list[str]:
    nodes = _NODE.findall(shown)
    if not promise or not nodes:
        return [f"{promise or shown!r} names no test"]
    left = re.sub(r"[\s,]", "", _NODE.sub("", shown))
    return missing_tests(nodes) + ([f"{left!r} is no test"] if left else [])


def missing_tests(nodes: list[tuple[str, str]]) -> list[str]:
    """Return a sentence for each pair of file and function that is no test of ours."""
    missing = [
        f"{file}::{name} does not exist"
        for file, name in nodes
        if not (ROOT / file).is_file() or name not in _functions(ROOT / file)
    ]
    return missing + [f"{name} is no test" for _, name in nodes if not name.startswith("test_")]


def test_each_promise_is_shown_by_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promises = _promises(text)

    assert [line for row in promises for line in _trouble(*row)] == []
    assert len(promises) >= 30
    assert text.count(_PROMISES) == text.count("| --- | --- |")
    named = len(_NODE.findall(text))
    assert named == sum(len(_NODE.findall(shown)) for _, shown in promises), "outside of a table"


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "soon",
        "`tests/docs/test_security.py::test_that_is_not_there`",
        "`tests/not/there.py::test_x`",
        "`tests/docs/test_security.py::test_each_promise_is_shown_by_tests_that_exist`, and more",
        "`tests/docs/test_security.py::_trouble`",
    ],
    ids=["none", "words", "no-test", "no-file", "more", "helper"],
)
def test_a_promise_without_a_test_is_noticed(shown: str) -> None:
    rows = _promises(f"{_PROMISES}\n| --- | --- |\n| a promise | {shown} |\n")

    assert len(rows) == 1
    assert _trouble(*rows[0])


def test_it_is_two_pages_at_most() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

    assert len(_NODE.sub("", text).split()) <= 1200
