"""Gather the facts, plan a launch (pure), show the plan, carry it out."""

from __future__ import annotations

from stlaunch.launcher.facts import Facts, gather_facts
from stlaunch.launcher.plan import LaunchPlan, plan_launch
from stlaunch.launcher.render import render_banner, render_plan
from stlaunch.launcher.serve import serve

__all__ = [
    "Facts",
    "LaunchPlan",
    "gather_facts",
    "plan_launch",
    "render_banner",
    "render_plan",
    "serve",
]
