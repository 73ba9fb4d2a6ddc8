"""The parts of the README that the code itself tells; `python -m tests.docs.generated` writes them.

Owns the text between the markers `<!-- name -->` and `<!-- /name -->`. It must not know the prose
around them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from stlaunch.proxies.configuration import KINDS
from stlaunch.settings.fields import FIELDS, Field
from tests.benchmarks.table import render_markdown
from tests.conftest import REPOSITORY
from tests.harness.generated import RUNNABLE

README = REPOSITORY / "README.md"
TABLE = REPOSITORY / "tests" / "benchmarks" / "table.json"


def section(text: str, name: str) -> str:
    """Return what stands between the markers of `name`."""
    _, _, rest = text.partition(f"<!-- {name} -->\n")
    inner, marker, _ = rest.partition(f"<!-- /{name} -->\n")
    assert marker, f"the README has no section {name!r}"
    return inner


def render_settings() -> str:
    """Return the table of settings, one row for each field."""
    head = "| flag | variable | key | default | what it does |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(f"| {' | '.join(_cells(field))} |\n" for field in FIELDS)


def render_help() -> str:
    """Return `stlaunch --help` as a terminal of 80 columns shows it."""
    environ = {"PATH": os.defpath, "COLUMNS": "80", "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "stlaunch", "--help"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=True
    )
    return f"```text\n{done.stdout}```\n"


def _cells(field: Field[object]) -> list[str]:
    what, _, default = field.help.partition(" Default: ")
    flag = f"{field.flag} {field.metavar}".replace("|", "\\|")
    return [
        f"`{flag}`",
        f"`{field.env}`",
        f"`{field.name}`",
        default.removesuffix(".") or "none",
        what,
    ]


def render_kinds() -> str:
    """Return the table of the configurations that `stlaunch proxy` writes."""
    head = (
        "| kind | what for | strips the path | affinity | tried here |\n"
        "| --- | --- | --- | --- | --- |\n"
    )
    validated = {"ingress": "schema"}
    rows = [
        f"| `{kind.name}` | {kind.title} | {'yes' if kind.strips else 'no'} "
        f"| {'yes' if kind.has_affinity else 'no'} "
        f"| {'yes' if kind.name in RUNNABLE else validated.get(kind.name, 'no')} |\n"
        for kind in KINDS.values()
    ]
    return head + "".join(rows)


def render_benchmarks() -> str:
    """Return the measured table that is kept beside the benchmarks."""
    return render_markdown(json.loads(TABLE.read_text(encoding="utf-8")))


SECTIONS = {
    "settings": render_settings,
    "help": render_help,
    "kinds": render_kinds,
    "benchmarks": render_benchmarks,
}


def main() -> None:
    """Rewrite the sections in place."""
    text = README.read_text(encoding="utf-8")
    for name, render in SECTIONS.items():
        before, marker, rest = text.partition(f"<!-- {name} -->\n")
        text = before + marker + render() + rest[len(section(text, name)) :]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
