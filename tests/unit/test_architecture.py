"""The house: how wide and how deep it is, and who may speak to the user."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from stlaunch.urls import streamlit_defaults
from tests.conftest import REPOSITORY
from tests.harness.imports import longest_chain, read_imports, top_level

PACKAGE = REPOSITORY / "stlaunch"
MAX_TOP_LEVEL = 23
MAX_CHAIN = 12
CODE = (".py", ".js", ".html", ".toml", ".json")
FOR_THE_TESTS = {
    "decode_frames",  # the page's half of the tunnel, which is JavaScript
    "render_table",  # the layers as a table
}
MAY_END_THE_PROCESS = ("cli/", "process/", "__main__.py")
MAY_WRITE_TO_THE_TERMINAL = (
    "cli/",
    "process/exit.py",  # flushes what was written
    "api.py",  # the banner of a launch from Python
    "log.py",  # the handler
)
ENDING = frozenset({"sys.exit", "os._exit", "os.abort", "SystemExit", "exit", "quit"})
WRITING = frozenset(
    {"print", "input", "click.echo", "click.secho", "sys.stdout", "sys.stderr", "sys.__stderr__"}
)


def test_top_level_is_narrow() -> None:
    entries = top_level(REPOSITORY, "stlaunch")

    assert "gateway" in entries
    assert "demo" not in entries  # data
    assert len(entries) <= MAX_TOP_LEVEL, entries


def test_all_dataclasses_share_their_methods() -> None:
    """The standard library's decorator compiles six for each class, which each start would pay."""
    usual = re.compile(
        r"^(from dataclasses import .*\bdataclass\b|import dataclasses)", re.MULTILINE
    )
    found = [path.name for path in PACKAGE.rglob("*.py") if usual.search(path.read_text("utf-8"))]

    assert found == ["quick_dataclass.py"]


def test_no_chain_of_imports_is_long() -> None:
    chain = longest_chain(read_imports(REPOSITORY, "stlaunch"))

    assert len(chain) - 1 <= MAX_CHAIN, " -> ".join(chain)


def test_only_the_command_line_ends_the_process() -> None:
    assert _used(ENDING, MAY_END_THE_PROCESS) == []


def test_only_the_command_line_writes_to_the_terminal() -> None:
    assert _used(WRITING, MAY_WRITE_TO_THE_TERMINAL) == []


def test_an_upper_limit_is_called_max() -> None:
    other_words = re.compile(r"\b_?(?:LARGEST|LONGEST|MOST|HIGHEST|BIGGEST)_[A-Z]")
    scripts = [path for path in sorted(PACKAGE.rglob("*")) if path.suffix in {".py", ".js"}]

    assert any(path.suffix == ".js" for path in scripts)
    assert [str(path) for path in scripts if other_words.search(path.read_text("utf-8"))] == []


def test_streamlits_paths_have_one_home() -> None:
    """Paths that a user types, or that a proxy's rule names, are texts and not compared."""
    found = [
        f"{place}: {value}"
        for place, value in _constants()
        if isinstance(value, str)
        if re.fullmatch(r"/?(_stcore|_stlaunch)(/[\w-]+)+/?", value)
        if place not in {"urls/streamlit_routes.py", "cli/quick_health.py"}
        and not place.startswith("proxies/")
    ]

    assert found == []


def test_what_streamlit_does_by_default_has_one_home() -> None:
    """Except for the examples in hints: they are there to be typed."""
    found = [place for place, value in _constants() if value == streamlit_defaults.PORT]

    assert found == ["urls/streamlit_defaults.py"]
    named = re.compile(r"(?:max_upload_\w+|ping_interval_s): [^=\n]+ = (?:lambda: )?\d")
    written = [
        f"{path.relative_to(PACKAGE)}: {found[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for found in named.finditer(path.read_text("utf-8"))
    ]
    assert written == []


def test_everything_that_is_defined_is_used() -> None:
    """A name that occurs once in the package is dead, unless it is there for the tests."""
    texts = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*") if path.suffix in CODE}
    words = Counter(word for text in texts.values() for word in re.findall(r"\w+", text))
    defined = {
        node.name
        for path, text in texts.items()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }

    assert {
        name for name in defined if words[name] == 1 and not name.startswith("__")
    } == FOR_THE_TESTS


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import sys\ndef f():\n    sys.exit(3)\n", ["sys.exit"]),
        ("def f():\n    raise SystemExit(1) from None\n", ["SystemExit"]),
        ("def f():\n    raise SystemExit\n", ["SystemExit"]),
        ("try:\n    f()\nexcept SystemExit as exc:\n    pass\n", []),
        ("from os import _exit\n", ["os._exit"]),
        ("console.print(1)\n", []),
    ],
)
def test_ends_of_the_process_are_recognised(source: str, found: list[str]) -> None:
    assert [name for _, name in _names(ast.parse(source)) if name in ENDING] == found


def test_what_is_carried_out_at_import_counts(tmp_path: Path) -> None:
    """Not what is inside a function or for type checkers; packages on the way count."""
    files = {
        "__init__.py": "",
        "first.py": "from typing import TYPE_CHECKING\n"
        "from pack.inner.leaf import x\n"
        "if TYPE_CHECKING:\n    from pack import typed\n"
        "else:\n    import pack.other\n"
        "def f():\n    from pack import late\n",
        "inner/__init__.py": "from .middle import y\n",
        "inner/middle.py": "from ..other import z\n",
        "inner/leaf.py": "from . import middle\n",
        "other.py": "try:\n    import json\nexcept ImportError:\n    import pack.late\n",
        "typed.py": "",
        "late.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    imports = read_imports(tmp_path, "pack")

    assert imports["pack.first"] == {"pack.inner", "pack.inner.leaf", "pack.other"}
    assert longest_chain(imports) == [
        "pack.first",
        "pack.inner",
        "pack.inner.middle",
        "pack.other",
        "pack.late",
    ]


def test_a_circle_is_an_error() -> None:
    with pytest.raises(ValueError, match="a circle: a -> b -> a"):
        longest_chain({"a": frozenset({"b"}), "b": frozenset({"a"})})


def _used(names: frozenset[str], allowed: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(allowed)
        for line, name in _names_in(path)
        if name in names
    ]


def _constants() -> Iterator[tuple[str, object]]:
    """Yield the constants in the package's code, with the file: no docstrings, no parts of text."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in texts:
                yield path.relative_to(PACKAGE).as_posix(), node.value


@functools.cache
def _names_in(path: Path) -> list[tuple[int, str]]:
    return list(_names(ast.parse(path.read_bytes())))


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield each name that is used, with its module where it has one; what is caught is no use."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name, lineno=line):
                yield line, f"{module}.{name}"
            case ast.ImportFrom(module=str(module), names=aliases, lineno=line):
                yield from ((line, f"{module}.{alias.name}") for alias in aliases)
            case ast.Call(func=ast.Name(id=name), lineno=line):
                yield line, name
            case ast.Raise(exc=ast.Name(id=name), lineno=line):
                yield line, name
