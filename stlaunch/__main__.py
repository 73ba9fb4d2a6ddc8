"""`python -m stlaunch`, and the `stlaunch` script."""

from __future__ import annotations

import sys

from stlaunch.cli.main import main


def entrypoint() -> None:
    """Run the command line of this process, and exit with its code."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entrypoint()
