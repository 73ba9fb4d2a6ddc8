"""Find the lines that meet a need for a product; the product's file has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from textwrap import indent

from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site, fill
from stlaunch.quick_dataclass import dataclass

OF_REPLICAS = frozenset({"STL702"})
"""The findings whose lines are for several replicas: see `with_replicas`."""
_MAX_REPLICAS = 16


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
        parts = [f"{where}:\n{indent(lines, '    ')}" for where, lines in self.steps]
        return "\n".join(parts + ([f"then: {self.reload}"] if self.reload else []))

    def only(self, is_wanted: Callable[[str], bool]) -> Fix:
        """Return the same fix with fewer lines."""
        kept = ((where, list(filter(is_wanted, lines.splitlines()))) for where, lines in self.steps)
        return replace(
            self, steps=tuple((where, "\n".join(lines)) for where, lines in kept if lines)
        )


def fix_for(need: Need, product: Product, site: Site) -> Fix | None:
    """Return the lines; None if the product meets the need by itself or cannot meet it."""
    return fix_for_all([need], product, site)


def fix_for_all(needs: Iterable[Need], product: Product, site: Site) -> Fix | None:
    """Return the lines for several needs combined: each place once, and no line there twice."""
    known = recipe(product)
    parts = [part for need in needs for part in known.parts_for(need, site)]
    if not parts:
        return None
    lines: dict[str, list[str]] = {}
    for part in parts:
        at_place = lines.setdefault(part.place, [])
        if not any(f"\n{part.lines}\n" in f"\n{other}\n" for other in at_place):
            at_place.append(part.lines)
    steps = tuple(
        (fill(known.places[place], site.values), "\n".join(texts)) for place, texts in lines.items()
    )
    return Fix(steps=steps, reload=known.reload, why=parts[0].why)


def with_replicas(site: Site, count: int = 0) -> Site:
    """Return the site with placeholder names for its replicas, whose addresses are not known."""
    numbers = range(1, min(max(2, count), _MAX_REPLICAS) + 1)
    return replace(site, replicas=tuple(f"REPLICA-{number}:8501" for number in numbers))


def replicas_note(lines: str) -> str:
    """Say what to do with the names of `with_replicas`; empty for lines without them."""
    named = sorted(set(re.findall(r"\bREPLICA-\d+(?::8501)?", lines)))
    if not named:
        return ""
    return (
        f"{', '.join(named[:-1])} and {named[-1]} stand for your replicas' addresses. Where you "
        "have more, repeat the line with the next number."
    )


def least_lines(product: Product, site: Site) -> str:
    """Return the fewest lines that an existing site needs, for an example; may be empty."""
    return fill(recipe(product).least, site.values)
