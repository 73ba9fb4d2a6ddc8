"""Inspect a target without running it."""

from __future__ import annotations

import ast
from pathlib import Path

from stlaunch.streamlit_adapter import internals


def find_asgi_app(script: Path) -> str | None:
    """Return `module:attribute` where a script defines its own ASGI app, else None."""
    return internals.discover_asgi_app(script)


def defines_streamlit_app(script: Path, import_string: str) -> bool:
    """Distinguish an `st.App` from a FastAPI or Starlette app by reading the source only.

    A wrong guess is corrected once the app is loaded.
    """
    name = import_string.partition(":")[2].partition(".")[0]
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return False
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
            called = ast.unparse(node.value.func).rpartition(".")[2]
            if name in targets:
                return called == "App"
    return False
