"""nginx: `recipe` has its lines and configuration, `start` what the demo and tests run."""

from __future__ import annotations

from stlaunch.proxies.nginx.recipe import RECIPE

__all__ = ["RECIPE"]
