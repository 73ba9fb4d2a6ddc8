"""The run command's action: plan, then show the plan or serve; it decides nothing of the plan."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from stlaunch.errors import ExitCode

if TYPE_CHECKING:
    from stlaunch.settings.model import Settings

_EXIT_S = 3.0
IS_INSTANCE = "_STLAUNCH_IS_INSTANCE"
"""Set by `stlaunch replicas`, which tells about all its instances itself."""


def run(settings: Settings, *, dry_run: bool, as_json: bool) -> int:
    """Serve the app until it is stopped, or print the plan on stdout; return the exit code."""
    from stlaunch.process import quick_start  # noqa: PLC0415 - needs importlib.metadata, which is slow

    is_instance = os.environ.pop(IS_INSTANCE, None) is not None
    quick_start.begin()
    # Late: this is where Streamlit and the server come in.
    from stlaunch.launcher import plan_launch, render_plan, serve  # noqa: PLC0415
    from stlaunch.process.exit import exit_within  # noqa: PLC0415

    plan = plan_launch(settings, environ=os.environ)
    if dry_run:
        print(render_plan(plan, as_json))
        return ExitCode.OK
    on_ready = _keep_silent if is_instance else _announce
    code = serve(plan, on_ready=on_ready, is_own_process=True)
    from stlaunch.process.children import end_children  # noqa: PLC0415 - needs psutil, which is slow

    end_children()
    exit_within(_EXIT_S, code)
    return code


def _announce(banner: str) -> None:
    from stlaunch.process import quick_start  # noqa: PLC0415 - see above

    quick_start.end()
    print(banner, file=sys.stderr, flush=True)


def _keep_silent(_banner: str) -> None:
    from stlaunch.process import quick_start  # noqa: PLC0415 - see above

    quick_start.end()
