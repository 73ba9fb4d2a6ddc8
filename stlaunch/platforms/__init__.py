"""Detect where the app runs, from the environment of the process."""

from stlaunch.platforms.detect import Hit, detect_platforms
from stlaunch.platforms.placement import Placement, PlatformValue, contradictions, place

__all__ = [
    "Hit",
    "Placement",
    "PlatformValue",
    "contradictions",
    "detect_platforms",
    "place",
]
