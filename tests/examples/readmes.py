"""What the examples' READMEs say: commands, addresses, and who wrote the configurations.

`python -m tests.examples.readmes` writes the configurations anew. It must not start any of it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from stlaunch.cli.proxy import proxy
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
PICTURES = "pictures"  # the README's; not an example
USUAL_PORTS = ("8080", "8443", "8501", "8502", "9000")
_PORTS = re.compile(rf"\b({'|'.join(USUAL_PORTS)})\b")
_WRITTEN = re.compile(r"`stlaunch (proxy [^`]+ -o ([\w.]+))`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One folder.

    Attributes:
        folder: where it is.
        terminals: one command line for each terminal, in the order in which they are started.
        urls: what to open then.
        written: the arguments of `stlaunch` that write a file, and that file's name.
    """

    folder: Path
    terminals: tuple[str, ...]
    urls: tuple[str, ...]
    written: tuple[tuple[tuple[str, ...], str], ...]


def read_example(folder: Path) -> Example:
    """Read a folder's README."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    instructions = text.partition("    ")[0]
    return Example(
        folder=folder,
        terminals=tuple(commands),
        urls=tuple(re.findall(r"https?://\S+", instructions)),
        written=tuple(
            (tuple(shlex.split(command)[1:-2]), file) for command, file in _WRITTEN.findall(text)
        ),
    )


def folders() -> list[Path]:
    """Return every example's folder."""
    return sorted(path for path in EXAMPLES.iterdir() if path.name != PICTURES)


def write(arguments: tuple[str, ...]) -> str:
    """Return what `stlaunch proxy` prints, in a folder without an app."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return CliRunner().invoke(proxy, arguments, catch_exceptions=False).stdout


def move(folder: Path, ports: Mapping[str, int]) -> None:
    """Put other ports in place of the usual ones, in all files of an example."""
    for path in folder.iterdir():
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            path.write_text(_PORTS.sub(lambda found: str(ports[found[0]]), text), encoding="utf-8")


if __name__ == "__main__":
    for example in map(read_example, folders()):
        for arguments, file in example.written:
            (example.folder / file).write_text(write(arguments), encoding="utf-8")
