"""Have Caddy itself read a Caddyfile, within bounds: `caddy adapt` turns one into JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stlaunch.errors import UsageError
from stlaunch.lint.sources import Sources, is_pattern

UNKNOWN = "unknown.invalid"
"""The stand-in for a variable of Caddy's environment; most hold the name of the site."""
_ADAPT_S = 20
_MAX_KIB = 4_000_000
_MAX_OUTPUT = 20_000_000
_MAX_NESTED = 100
_DIRECTIVES = {
    "encode",
    "handle",
    "handle_path",
    "header",
    "import",
    "log",
    "redir",
    "request_body",
    "respond",
    "reverse_proxy",
    "rewrite",
    "root",
    "route",
    "tls",
    "uri",
}
_VARIABLE = re.compile(r"\{\$(\w+)(:[^}]*)?\}")


def unknown_variables(text: str) -> dict[str, int]:
    """Return the names of variables without a default, and the line of the first use of each."""
    found: dict[str, int] = {}
    for match in _VARIABLE.finditer(text):
        if not match[2]:
            found.setdefault(match[1], text.count("\n", 0, match.start()) + 1)
    return found


def check_imports(path: Path, sources: Sources, stack: tuple[Path, ...]) -> None:
    """Read imported files within bounds, before Caddy reads them without any.

    Raises:
        UsageError: for a file that cannot be read, and for files that import each other.
    """
    for number, line in enumerate(sources.read(path).split("\n"), 1):
        words = line.split()
        if words[:1] != ["import"] or len(words) == 1:
            continue
        name = words[1].strip('"`')
        target = path.parent / name
        if "/" not in name and not is_pattern(name) and not sources.is_file(target):
            continue  # The name of a snippet.
        for file in sources.matches(target) if is_pattern(name) else [target]:
            if file in (*stack, path):
                raise UsageError(f"{path}, line {number}: {file} imports itself.")
            if file not in sources.texts:
                sources.read(file)
                check_imports(file, sources, (*stack, path))


def find_caddy() -> str | None:
    """Return Caddy's binary; None where it is not installed."""
    if found := shutil.which("caddy"):
        return found
    beside = Path(sys.executable).with_name("caddy")
    return str(beside) if beside.exists() else None


def adapted(binary: str, path: Path, text: str) -> dict[str, Any]:
    """Return the whole configuration as Caddy's JSON, with a name of ours for each unknown value.

    Raises:
        UsageError: for a file that Caddy refuses, or could not read within bounds.
    """
    if _nested(text) > _MAX_NESTED:  # Caddy's memory grows with the square of it
        raise UsageError(f"{path}: more than {_MAX_NESTED} blocks are nested.")
    if not _is_part(text):
        return _adapt(binary, path, path, text)
    # Lines for an existing site get a site around them, on line 1, so that line numbers stay.
    with tempfile.TemporaryDirectory(prefix="stlaunch-lint-") as folder:
        whole = Path(folder) / "Caddyfile"
        body = text.split("\n", 1)
        first = "" if body[0].lstrip().startswith("#") else f"\n{body[0]}"
        rest = body[1] if len(body) > 1 else ""
        data = f":80 {{{first}\n{rest}\n}}\n"
        whole.write_bytes(data.encode("utf-8", errors="surrogateescape"))
        return _adapt(binary, whole, path, text)


def _nested(text: str) -> int:
    """Return the maximum number of blocks open at the same time."""
    deepest = depth = 0
    for line in map(str.strip, text.split("\n")):
        depth = max(0, depth - line.startswith("}")) + line.endswith("{")
        deepest = max(deepest, depth)
    return deepest


def _is_part(text: str) -> bool:
    """Return whether a text begins with a directive instead of the address of a site."""
    for line in text.split("\n"):
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[0] in _DIRECTIVES
    return False


def _adapt(binary: str, path: Path, shown: Path, text: str) -> dict[str, Any]:
    command = [binary, "adapt", "--config", str(path), "--adapter", "caddyfile"]
    # Some directives read files of their own; the limit counts memory that is only reserved too.
    bounded = ["/bin/sh", "-c", f'ulimit -v {_MAX_KIB}; exec "$@"', "sh", *command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(  # noqa: S603 - Caddy itself, which only reads
                bounded,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=_filled(os.environ, text),
                timeout=_ADAPT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise UsageError(f"{shown}: `caddy adapt` did not end within {_ADAPT_S} s.") from exc
        except OSError as exc:
            raise UsageError(f"{shown}: `caddy adapt` cannot be run: {exc.strerror}.") from exc
        output.seek(0)
        errors.seek(0)
        said = errors.read(20_000).decode(errors="replace").strip().splitlines()
        printed = output.read(_MAX_OUTPUT)
    if done.returncode != 0:
        raise UsageError(f"{shown}: Caddy refuses it: {_refusal(said, path)}")
    try:
        config = json.loads(printed)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{shown}: what `caddy adapt` prints cannot be read.") from exc
    return config if isinstance(config, dict) else {}


def _filled(environ: Mapping[str, str], text: str) -> dict[str, str]:
    """Give each unknown variable a value, except those that affect how a program starts."""
    filled = dict(environ)
    for name in unknown_variables(text):
        if not name.startswith(("LD_", "DYLD_")) and name not in {"PATH", "HOME"}:
            filled[name] = f"nobody@{UNKNOWN}" if "mail" in name.lower() else UNKNOWN
    return filled


def _refusal(said: list[str], path: Path) -> str:
    """Return Caddy's own message, which has the line: `Caddyfile:2: unrecognized directive`."""
    line = next((one for one in reversed(said) if '"level":"error"' in one), "")
    try:
        text = str(json.loads(line).get("msg", "")) if line else ""
    except ValueError:
        text = ""
    if not text:
        line = next((one for one in reversed(said) if one.startswith("Error:")), "")
        text = line.removeprefix("Error: ") or (said[-1] if said else "it says nothing")
    text = text.removeprefix("adapting config using caddyfile: ")
    text = text.replace(f"{path}:", "line ").replace(str(path), path.name)
    return f"{text[:500].rstrip('.')}."
