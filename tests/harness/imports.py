"""Which module of the package imports which, and the longest chain of such imports.

    python -m tests.harness.imports [FOLDER [PACKAGE]]

prints the longest chain of the package in FOLDER (this repository, stlaunch). It reads the sources
and runs nothing. An import counts when the import of the module itself carries it out: not inside a
function, and not for type checkers alone. `import a.b.c` also imports `a` and `a.b`, unless the
importer lies inside of them. The length of a chain is its number of imports.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

Imports = Mapping[str, frozenset[str]]


def read_imports(folder: Path, package: str) -> Imports:
    """Return the modules of a package, each with those that it imports."""
    sources = {_name(path.relative_to(folder)): path for path in (folder / package).rglob("*.py")}
    return {name: frozenset(_imported(name, path, set(sources))) for name, path in sources.items()}


def longest_chain(imports: Imports) -> list[str]:
    """Return the modules of the longest chain, the importer first.

    Raises:
        ValueError: If modules import each other in a circle.
    """
    chains: dict[str, list[str]] = {}

    def chain_of(module: str, above: tuple[str, ...]) -> list[str]:
        if module in above:
            raise ValueError(f"a circle: {' -> '.join([*above, module])}")
        if module not in chains:
            below = [chain_of(name, (*above, module)) for name in sorted(imports[module])]
            chains[module] = [module, *max(below, key=len, default=[])]
        return chains[module]

    return max((chain_of(module, ()) for module in sorted(imports)), key=len)


def top_level(folder: Path, package: str) -> list[str]:
    """Return the modules and packages directly inside a package; a folder of data is none."""
    entries = sorted((folder / package).iterdir())
    return [
        entry.name
        for entry in entries
        if entry.suffix == ".py" or (entry / "__init__.py").is_file()
    ]


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(module: str, path: Path, known: set[str]) -> Iterator[str]:
    own_package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for statement in _carried_out(ast.parse(path.read_bytes()).body):
        for name in _names(statement, own_package):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                imported = ".".join(parts[:end])
                if imported in known and not f"{module}.".startswith(f"{imported}."):
                    yield imported


def _carried_out(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                yield statement
            case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
                yield from _carried_out(statement.orelse)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                for part in ("body", "orelse", "finalbody"):
                    yield from _carried_out(getattr(statement, part, []))
                for handler in getattr(statement, "handlers", []):
                    yield from _carried_out(handler.body)


def _names(statement: ast.Import | ast.ImportFrom, own_package: str) -> Iterator[str]:
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
        return
    base = statement.module or ""
    if statement.level:
        parts = own_package.split(".")
        base = ".".join([*parts[: len(parts) + 1 - statement.level], *filter(None, [base])])
    for alias in statement.names:
        yield f"{base}.{alias.name}"


if __name__ == "__main__":
    _folder, _package = [*sys.argv[1:], *["", "stlaunch"][len(sys.argv) - 1 :]]
    _found = longest_chain(read_imports(Path(_folder), _package))
    sys.stdout.write(f"{len(_found) - 1} imports:\n" + "".join(f"  {name}\n" for name in _found))
