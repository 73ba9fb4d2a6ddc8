"""Gather the facts, plan a launch (pure), show the plan, execute it."""
