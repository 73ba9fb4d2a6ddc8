"""Gather the facts, plan a launch (pure), show the plan, carry it out."""
