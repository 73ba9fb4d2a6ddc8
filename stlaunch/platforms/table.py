"""The table of platforms, in the order in which they decide: the innermost first.

Within a layer the files' own order counts. It holds data alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stlaunch.platforms.editors import EDITORS
from stlaunch.platforms.hosting import HOSTING
from stlaunch.platforms.ingress import INGRESS
from stlaunch.platforms.model import Layer
from stlaunch.platforms.notebooks import NOTEBOOKS

if TYPE_CHECKING:
    from stlaunch.platforms.model import Platform

_LAYERS = tuple(Layer)

PLATFORMS: tuple[Platform, ...] = tuple(
    sorted(
        (*EDITORS, *NOTEBOOKS, *HOSTING, *INGRESS),
        key=lambda platform: _LAYERS.index(platform.layer),
    )
)
