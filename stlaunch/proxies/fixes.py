"""Find the lines that meet a need for a product; the product's file has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from textwrap import indent

from stlaunch.diagnostics.catalogue import entry
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site, fill
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.origin import HostPort

OF_REPLICAS = frozenset({"STL702"})
"""The findings whose lines are for several replicas: see `with_replicas`."""
WORDS_FIRST = frozenset({"STL120", "STL122", "STL123"})
"""The findings that lines alone may not fix: the app may be down, or the URL be another one's."""
_REPLACE_A_ROUTE = frozenset({"STL120"})
"""Those where the proxy has a route to the app already: a guessed one could break it."""
_MAX_REPLICAS = 16
_ELSEWHERE = HostPort("192.0.2.1", 9)
"""An address that no app has (RFC 5737)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """The lines that give one product what the app needs.

    Attributes:
        steps: each place in words, and the paste-ready lines for it.
        reload: the command that puts them in force; empty where none is needed.
        why: one sentence.
        notes: what the reader has to put into the lines himself.
    """

    steps: tuple[tuple[str, str], ...]
    reload: str
    why: str
    notes: tuple[str, ...] = ()

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
        return "\n".join([*parts, *self.notes, *([f"then: {self.reload}"] if self.reload else [])])

    def only(self, is_wanted: Callable[[str], bool]) -> Fix:
        """Return the same fix with fewer lines."""
        kept = ((where, list(filter(is_wanted, lines.splitlines()))) for where, lines in self.steps)
        return replace(
            self, steps=tuple((where, "\n".join(lines)) for where, lines in kept if lines)
        )


def fix_for(need: Need, product: Product, site: Site) -> Fix | None:
    """Return the lines; None if the product meets the need by itself or cannot meet it."""
    return fix_for_all([need], product, site)


def fix_for_all(
    needs: Iterable[Need], product: Product, site: Site, *, hint: str = ""
) -> Fix | None:
    """Return the lines for several needs combined: each place once, and no line there twice.

    Args:
        needs: in the order of their lines.
        product: whose lines are wanted.
        site: fills them in.
        hint: how the app's address gets into lines where it is a guess.
    """
    fix = _fix(needs := tuple(needs), product, site)
    if fix is None:
        return None
    notes = [replicas_note(fix.lines)]
    if not site.knows_upstream and fix != _fix(needs, product, site.at(_ELSEWHERE)):
        notes.append(f"{site.upstream} stands for your app's address{hint and '; '}{hint}.")
    return replace(fix, notes=tuple(filter(None, notes)))


def _fix(needs: Iterable[Need], product: Product, site: Site) -> Fix | None:
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


def fix_for_code(
    code: str,
    product: Product,
    site: Site,
    *,
    needs: Iterable[Need] | None = None,
    is_bare: bool = False,
    hint: str = "",
) -> Fix | None:
    """Return the lines that fix a finding; None where only the catalogue's words do.

    Args:
        code: of the finding.
        product: whose lines are wanted.
        site: fills them in.
        needs: those to meet; None for the catalogue's.
        is_bare: the app does not run under stlaunch, so lines that only stlaunch reads are left
            out.
        hint: as in `fix_for_all`.
    """
    known = recipe(product)
    if code in known.by_words or (code in _REPLACE_A_ROUTE and not site.knows_upstream):
        return None
    if code in OF_REPLICAS and not site.replicas:
        site = with_replicas(site)
    wanted = [Need(need) for need in entry(code).needs] if needs is None else list(needs)
    wanted += [known.along[need] for need in wanted if need in known.along]
    needed = [need for need in wanted if not (is_bare and need in known.for_stlaunch)]
    return fix_for_all(needed, product, site, hint=hint)


def with_replicas(site: Site, count: int = 0) -> Site:
    """Return the site with placeholder names for its replicas, whose addresses are not known."""
    numbers = range(1, min(max(2, count), _MAX_REPLICAS) + 1)
    return replace(site, replicas=tuple(f"REPLICA-{number}:8501" for number in numbers))


def replicas_note(lines: str) -> str:
    """Say what to do with the names of `with_replicas`; empty for lines without them."""
    found = set(re.findall(r"\bREPLICA-\d+(?::8501)?", lines))
    if not found:
        return ""
    *others, last = sorted(found, key=lambda name: (len(name), name))
    names = f"{last} stands for a replica's address"
    if others:
        names = f"{', '.join(others)} and {last} stand for your replicas' addresses"
    return f"{names}. Where you have more, repeat the line with the next number."


def least_lines(product: Product, site: Site) -> str:
    """Return the fewest lines that an existing site needs, for an example; may be empty."""
    return fill(recipe(product).least, site.values)
