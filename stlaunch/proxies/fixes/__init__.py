"""The lines that mend each need in each proxy: the one source for fixes and generated configs.

`stlaunch proxy` composes whole configurations from these lines; `stlaunch check`, `stlaunch lint`,
the self-check and the log print single ones. Nothing is detected here.
"""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Product, Recipe, Remedy, Site
from stlaunch.proxies.fixes.table import recipe, remedy

__all__ = ["Need", "Part", "Product", "Recipe", "Remedy", "Site", "recipe", "remedy"]
