"""`python -m stlaunch`, and the `stlaunch` script."""

from __future__ import annotations

import sys

from stlaunch.cli.entry import enter


def entrypoint() -> None:
    """Run the command line of this process, and exit with its code."""
    sys.exit(enter(sys.argv[1:]))


if __name__ == "__main__":
    entrypoint()
