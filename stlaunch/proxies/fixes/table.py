"""From a need and a product to the lines; the lines themselves stand in one file a product."""

from __future__ import annotations

import importlib
from itertools import groupby

from stlaunch.proxies.fixes.model import Fix, Need, Product, Recipe, Site, fill


def recipe(product: Product) -> Recipe:
    """Return all that is known about a product; its file is read when it is asked for."""
    module = importlib.import_module(f"stlaunch.proxies.fixes.{product.name.lower()}")
    known: Recipe = module.RECIPE
    return known


def fix_for(need: Need, product: Product, site: Site) -> Fix | None:
    """Return the lines; None where the product has the need covered by itself or cannot."""
    known = recipe(product)
    parts = known.parts_for(need, site)
    if not parts:
        return None
    steps = tuple(
        (fill(known.places[place], site.values), "\n".join(part.lines for part in same))
        for place, same in groupby(parts, key=lambda part: part.place)
    )
    return Fix(steps=steps, reload=known.reload, why=parts[0].why)
