"""`stlaunch config`: every effective setting with its source; `--write` merges them for Streamlit.

Values go to stdout, what was written to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from stlaunch.cli.app_command import AppCommand, app_parameters, request_of
from stlaunch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from stlaunch.launcher.plan import LaunchPlan

_WIDTH = 100


def _config(ctx: click.Context, app: tuple[str, ...]) -> int:
    # Late: this is where Streamlit comes in.
    from stlaunch.launcher.app_config import merged_config, write_merged  # noqa: PLC0415
    from stlaunch.launcher.effective import effective_settings  # noqa: PLC0415
    from stlaunch.launcher.facts import gather_facts  # noqa: PLC0415
    from stlaunch.launcher.plan import plan_launch  # noqa: PLC0415

    as_json, is_writing = ctx.params["json"], ctx.params["write"]
    if as_json and is_writing:
        raise UsageError("--write shows the change as a diff, not as JSON.", hint="Remove --json.")
    request = request_of(ctx, app)
    plan = plan_launch(request, gather_facts(request, os.environ))
    if not is_writing:
        rows = [row.as_dict() for row in effective_settings(plan)]
        print(json.dumps(_document(plan, rows), indent=2) if as_json else _render(plan, rows))
        return ExitCode.OK
    merged = merged_config(plan)
    if not merged.diff:
        print(f"{merged.path} already says all of this.", file=sys.stderr)
        return ExitCode.OK
    print(merged.diff, end="", flush=True)
    backup = write_merged(merged)
    kept = f"; the old file is now {backup}" if backup else ""
    print(f"Written: {merged.path}{kept}", file=sys.stderr)
    return ExitCode.OK


def _document(plan: LaunchPlan, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": "stlaunch.config/1",
        "app": plan.facts.import_string or str(plan.facts.script),
        "settings": rows,
        "warnings": list(plan.warnings),
    }


def _render(plan: LaunchPlan, rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        notes = [row["where"]]
        notes += [f"overrides {item['value']} from {item['where']}" for item in row["shadowed"]]
        if _shown(row["bare"]) != _shown(row["value"]):
            notes.append(f"bare Streamlit: {_shown(row['bare'])}")
        lines.append(f"{row['name']} = {_shown(row['value'])}  ({'; '.join(notes)})")
    lines += [f"Warning: {warning}" for warning in plan.warnings]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


config = AppCommand(
    name="config",
    short_help="Show every setting and where it comes from, or write config.toml.",
    help="Show every setting of an app: its value, where it comes from, what it overrides, and "
    "what bare Streamlit would do. Takes all options of `stlaunch APP`.",
    epilog="Example: stlaunch config app.py --behind-proxy /streamlitApp --write",
    params=[
        *app_parameters(),
        click.Option(["--json"], is_flag=True, help="Print JSON, schema stlaunch.config/1."),
        click.Option(
            ["--write"],
            is_flag=True,
            help="Merge the settings into the app's own .streamlit/config.toml, so that plain "
            "`streamlit run` works here too. Comments stay, the change is shown, and the old file "
            "is saved as config.toml.bak.",
        ),
    ],
    callback=click.pass_context(lambda ctx, app, **_: _config(ctx, app)),
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": _WIDTH,
    },
)
