"""Plan a launch (pure), show the plan, carry it out."""

from __future__ import annotations

from stlaunch.launcher.plan import LaunchPlan, plan_launch
from stlaunch.launcher.render import render_banner, render_plan
from stlaunch.launcher.serve import serve

__all__ = [
    "LaunchPlan",
    "plan_launch",
    "render_banner",
    "render_plan",
    "serve",
]
