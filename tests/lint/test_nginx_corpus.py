"""Every seeded fault in the corpus of nginx files is found where it is, and nothing else.

A line that is at fault ends with `#! CODE ...`; the files called good_* have none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file
from stlaunch.lint.edits import apply, edited
from stlaunch.proxies.needs import Product
from stlaunch.proxies.starting import find_binary

CORPUS = Path(__file__).parent / "corpus" / "nginx"
FILES = sorted(CORPUS.glob("*.conf"))
# What a person has to decide: which replica, which path, which methods, whose files.
BY_HAND = {
    "STL203",
    "STL204",
    "STL208",
    "STL210",
    "STL211",
    "STL213",
    "STL304",
    "STL310",
    "STL316",
    "STL509",
    "STL512",
    "STL702",
    "STL801",
}


def seeded(path: Path) -> set[tuple[str, str, int]]:
    """Return the faults that a file, and what it includes, is marked with."""
    text = path.read_text(encoding="utf-8")
    included = [path.parent / name for name in re.findall(r"include (\S+);", text)]
    return {
        (code, file.name, number)
        for file in (path, *included)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if "#!" in line
        for code in line.partition("#!")[2].split()
    }


def found(path: Path) -> set[tuple[str, str, int]]:
    return {
        (finding.code, finding.file.name, finding.line)
        for finding in lint_file(path, App()).findings
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_faults_are_found_where_they_are(path: Path) -> None:
    assert found(path) == seeded(path)


def test_corpus_is_large_and_has_both_kinds() -> None:
    good = [path for path in FILES if path.name.startswith("good_")]
    codes = Counter(code for path in FILES for code, _, _ in seeded(path))

    assert len(FILES) - len(good) >= 40
    assert len(good) >= 12
    assert not [path for path in good if seeded(path)]
    assert len(codes) >= 20


@pytest.mark.parametrize(
    "path", [path for path in FILES if seeded(path)], ids=lambda path: path.stem
)
def test_fix_leaves_only_what_a_person_decides(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    shutil.copytree(CORPUS, folder)
    copy = folder / path.name
    report = lint_file(copy, App())
    backups = apply(edited(edit for finding in report.findings for edit in finding.edits))

    left = lint_file(copy, App())
    assert {finding.code for finding in left.findings} <= BY_HAND
    # Nothing new, and the old text is kept.
    before = {finding.code for finding in report.findings}
    assert {finding.code for finding in left.findings} <= before
    for backup in backups:
        original = backup.with_name(backup.name.removesuffix(".stlaunch.bak"))
        assert backup.read_text() == (CORPUS / original.relative_to(folder)).read_text()


NEEDS_NAMES_OR_FILES = re.compile(r"\bssl\b|http://(streamlit|dashboards)|proxy_cache_path")
PLAIN = [path for path in FILES if not NEEDS_NAMES_OR_FILES.search(path.read_text())]


@pytest.mark.proxy
@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_nginx_takes_the_files_before_and_after_the_fix(path: Path, tmp_path: Path) -> None:
    """The corpus is real, and so is what `--fix` makes of it."""
    folder = tmp_path / "nginx"
    shutil.copytree(CORPUS, folder)
    copy = folder / path.name
    nginx_accepts(copy)
    report = lint_file(copy, App())
    apply(edited(edit for finding in report.findings for edit in finding.edits))
    nginx_accepts(copy)


def nginx_accepts(path: Path) -> None:
    text = path.read_text()
    is_whole = re.search(r"^http \{", text, re.MULTILINE)
    inner = f"include {path};"
    main = path.with_name("main.test")
    main.write_text(f"events {{}}\n{inner if is_whole else f'http {{ {inner} }}'}\n")
    binary = find_binary(Product.NGINX)
    command = [binary, "-t", "-e", "stderr", "-g", "pid nginx.pid;", "-p", path.parent, "-c", main]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
