"""What the surroundings of the process say about where the app is served."""

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
