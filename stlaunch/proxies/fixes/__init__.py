"""The lines that mend each need in each proxy: the one source for fixes and generated configs.

`stlaunch proxy` composes whole configurations from these lines; `stlaunch check`, `stlaunch lint`,
the self-check and the log print single ones. Nothing is detected here.
"""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Fix, Need, Part, Product, Recipe, Site
from stlaunch.proxies.fixes.table import fix_for, recipe

__all__ = ["Fix", "Need", "Part", "Product", "Recipe", "Site", "fix_for", "recipe"]
