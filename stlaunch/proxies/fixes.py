"""Find the lines that meet a need for a product; the product's file has them."""

from __future__ import annotations

from itertools import groupby
from textwrap import indent

from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site, fill
from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """The lines that give one product what the app needs.

    Attributes:
        steps: each place in words, and the paste-ready lines for it.
        reload: the command that puts them in force; empty where none is needed.
        why: one sentence.
    """

    steps: tuple[tuple[str, str], ...]
    reload: str
    why: str

    @property
    def lines(self) -> str:
        """All lines, in the product's own language."""
        return "\n".join(lines for _, lines in self.steps)

    @property
    def where(self) -> str:
        """The place for them: ``in nginx, inside `location /app/ { }```."""
        return ", and ".join(where for where, _ in self.steps)

    @property
    def text(self) -> str:
        """Where, what and how to reload, for a log line or a report."""
        told = [f"{where}:\n{indent(lines, '    ')}" for where, lines in self.steps]
        return "\n".join(told + ([f"then: {self.reload}"] if self.reload else []))


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


def least_lines(product: Product, site: Site) -> str:
    """Return the fewest lines that an existing site needs, for an example; may be empty."""
    return fill(recipe(product).least, site.values)
