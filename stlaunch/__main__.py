"""`python -m stlaunch`, and the `stlaunch` script; nothing heavy is imported before the fork."""

from __future__ import annotations

import os
import sys

from stlaunch.process.streams import open_closed_streams


def entrypoint() -> None:
    """Run the command line of this process, and exit with its code."""
    open_closed_streams()
    words = sys.argv[1:]
    if words[:1] == ["health"]:  # asked every few seconds in a container: no click
        from stlaunch.cli.quick_health import main as health  # noqa: PLC0415

        sys.exit(health(words[1:], os.environ))
    if sys.platform != "win32" and os.getpid() == 1:
        from stlaunch.process.init import run_in_child  # noqa: PLC0415

        run_in_child()
    from stlaunch.cli.entry import main  # noqa: PLC0415

    sys.exit(main(words))


if __name__ == "__main__":
    entrypoint()
