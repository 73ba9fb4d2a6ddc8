"""CONTRIBUTING's recipe for a finding, followed to the letter in a copy of the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

CODE = "STL899"
TEXT = """\
title = "The moon is full"
severity = "warning"
problem = "It shines."
by_hand = "Look out of the window."
fix = "Wait two weeks."
"""
RULE = """

def _moon(_seen: Observations) -> Outcome:
    return Hit(evidence="It was seen.")


RULES = (*RULES, Rule(code="STL899", requires=(), evaluate=_moon))
"""


def _stlaunch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stlaunch", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_recipe_for_a_finding_is_all_that_it_takes(tmp_path: Path) -> None:
    """The two places that it names; `explain` then knows the code, and `check` reports it."""
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(
        r"^- \*\*a finding:\*\* (.*?)(?=^- |^$)", contributing, re.MULTILINE | re.DOTALL
    )
    text_file, rules = re.findall(r"`(stlaunch/[^`]+)`", recipe)
    shutil.copytree(
        REPOSITORY / "stlaunch", tmp_path / "stlaunch", ignore=shutil.ignore_patterns("__pycache__")
    )

    (tmp_path / text_file.replace("STLnnn", CODE)).write_text(TEXT, encoding="utf-8")
    with (tmp_path / rules / "replicas.py").open("a", encoding="utf-8") as file:
        file.write(RULE)
    explained = _stlaunch(tmp_path, "explain", CODE)
    checked = _stlaunch(tmp_path, "check", "http://127.0.0.1:1/", "--json")

    assert "The moon is full" in explained.stdout, explained.stderr
    assert json.loads(checked.stdout)["checks"][CODE]["status"] == "WARN", checked.stdout


def test_each_recipe_names_one_or_two_places_that_exist() -> None:
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = re.findall(
        r"^- \*\*(a [a-z ]+):\*\* (.*?)(?=^- |^$)", contributing, re.MULTILINE | re.DOTALL
    )

    assert [name for name, _ in recipes] == [
        "a proxy product",
        "a platform",
        "a finding",
        "a setting",
    ]
    for _, recipe in recipes:
        places = re.findall(r"`(stlaunch/[^`]+)`", recipe)
        assert places
        assert all((REPOSITORY / place.replace("STLnnn", "STL301")).exists() for place in places)
