"""stlaunch in a terminal of 80 columns, and what it wrote there.

Owns the pseudo-terminal and the process in it. It must not know what a command shows.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

COLUMNS, LINES = 80, 24
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
# Yellow, cyan and white vanish on white; bright ones too. Green is the mark of what is well alone.
LEGIBLE = frozenset({"", "0", "1", "2", "4", "22", "31", "32", "35", "39", "49"})
_DEADLINE_S = 60.0


def used_colours(text: str) -> set[str]:
    """Return the numbers of all colours and styles in a text."""
    return {part for found in COLOUR.findall(text) for part in found.split(";")}


def shown(
    folder: Path, *arguments: str, until: Callable[[str], bool] | None = None, **environ: str
) -> str:
    """Run stlaunch in a terminal of 80 columns; all that it wrote, at the end or until then."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (LINES, COLUMNS))
    kept = {
        name: text
        for name, text in os.environ.items()
        if name not in {"NO_COLOR", "TERM", "COLUMNS"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "stlaunch", *arguments], cwd=folder, stdin=theirs, stdout=theirs,
        stderr=theirs, env=kept | {"TERM": "xterm"} | environ, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    text, deadline = "", time.monotonic() + _DEADLINE_S
    try:
        while until is None or not until(text):
            assert time.monotonic() < deadline, text
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                text += os.read(ours, 65536).decode("utf-8", "replace")
            except OSError:  # the other end is closed
                break
    finally:
        process.terminate()
        process.wait(10)
        os.close(ours)
    return text
