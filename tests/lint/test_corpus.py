"""Every fault in the corpus is found where it is, and nothing else; the healthy files stay silent.

A line that is at fault ends with `#! CODE ...` (`<!-- ! CODE -->` in XML, `//! CODE` in VCL); a
file whose name starts with `good_` has none. A folder below `layouts/` is a whole configuration, of
which the file called `site*` is linted. `#lint: --upstream X` gives options.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file
from stlaunch.lint.app import socket_path
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

CORPUS = Path(__file__).parent / "corpus"
LAYOUTS = CORPUS / "layouts"
FILES = sorted(
    path
    for path in CORPUS.rglob("*")
    if path.is_file() and "snippets" not in path.parts and LAYOUTS not in path.parents
)
SITES = sorted(path for path in LAYOUTS.rglob("*") if path.name.startswith("site"))
ALL = [*FILES, *(path for path in SITES if path.is_file())]


def seeded(path: Path) -> set[tuple[str, str, int]]:
    """Return the faults that a file, and what it includes, is marked with."""
    files = [path]
    if LAYOUTS in path.parents:
        top = LAYOUTS / path.relative_to(LAYOUTS).parts[0]
        files += [file for file in top.rglob("*") if file.is_file() and "site" not in file.name]
    else:
        included = re.findall(r"include (snippets/\S+);", path.read_text(errors="replace"))
        files += [path.parent / name for name in included]
    return {
        (code, file.name, number)
        for file in files
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        for codes in re.findall(r"(?:#|//|<!-- )! ((?:STL\d{3} ?)+)", line)
        for code in codes.split()
    }


def app_of(path: Path) -> App:
    """Return the app that a file's `#lint:` line speaks of."""
    marked = re.search(r"#lint: (.*)", path.read_text(errors="replace"))
    words = marked[1].split() if marked else []
    options = dict(zip(words[::2], words[1::2], strict=True))
    upstream = options.get("--upstream", "")
    socket = socket_path(upstream) if upstream else None
    return App(
        socket=socket or "",
        upstream=HostPort.parse(upstream) if upstream and not socket else None,
        base_path=BasePath(options["--public-url"]) if "--public-url" in options else None,
    )


def found(path: Path) -> set[tuple[str, str, int]]:
    """Return the findings as the marks have them."""
    report = lint_file(path, app_of(path))
    return {(finding.code, finding.file.name, finding.line) for finding in report.findings}


def cases(paths: list[Path]) -> list[object]:
    """Return one parameter for each file; a Caddyfile is read by Caddy, a process of its own."""
    return [
        pytest.param(
            path,
            id=str(path.relative_to(CORPUS)),
            marks=[pytest.mark.process] if "addy" in str(path.relative_to(CORPUS)) else [],
        )
        for path in paths
    ]


@pytest.mark.parametrize("path", cases(ALL))
def test_faults_are_found_where_they_are(path: Path) -> None:
    assert found(path) == seeded(path)


@pytest.mark.parametrize("path", cases([path for path in ALL if "noroute" not in path.name]))
def test_route_is_seen(path: Path) -> None:
    """Silence is a verdict only about a route that was seen; `*noroute*` files have none."""
    assert lint_file(path, app_of(path)).routes


def test_corpus_is_large_and_has_both_kinds() -> None:
    healthy = [path for path in ALL if not seeded(path)]
    codes = Counter(code for path in ALL for code, _, _ in seeded(path))

    assert len(ALL) - len(healthy) >= 90
    assert len(healthy) >= 60
    assert len(codes) >= 28
    assert not [path for path in FILES if path.name.startswith("good_") and seeded(path)]
