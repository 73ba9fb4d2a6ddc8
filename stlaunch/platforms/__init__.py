"""What the surroundings of the process say about where the app is served."""

from stlaunch.platforms.container import is_in_container

__all__ = ["is_in_container"]
