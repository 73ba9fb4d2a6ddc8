"""Combine a code's entry with each proxy's lines, for `stlaunch explain`."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator

from stlaunch.diagnostics.catalogue import Entry
from stlaunch.proxies.fixes import Fix, fix_for_code
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath

_SITE = Site(base_path=BasePath("/streamlitApp"))
_WIDTH = 96


def render_entry(entry: Entry) -> str:
    """Return what `stlaunch explain` prints; the lines are for an app at /streamlitApp."""
    parts = [
        f"{entry.code}  {entry.title}  ({entry.severity})",
        *_section("Problem", entry.problem),
        *_section("By hand", entry.by_hand),
        *_section("Fix", entry.fix),
    ]
    for product, one in _fixes(entry):
        parts += ["", f"  {product}: {one.why}", textwrap.indent(one.text, "    ")]
    return "\n".join(parts) + "\n"


def _section(name: str, text: str) -> list[str]:
    if not text:
        return []
    return ["", name, textwrap.indent(_wrapped(text), "  ")]


def _wrapped(text: str) -> str:
    """Wrap prose; keep lines that begin with spaces, which are commands and their output."""
    lines: list[str] = []
    for is_verbatim, group in itertools.groupby(
        text.strip("\n").splitlines(), key=lambda line: line.startswith("    ")
    ):
        block = list(group)
        wrapped = textwrap.wrap(" ".join(block), _WIDTH, break_on_hyphens=False)
        lines += block if is_verbatim else wrapped
    return "\n".join(lines)


def _fixes(entry: Entry) -> Iterator[tuple[Product, Fix]]:
    for product in Product:
        for need in entry.needs:
            if one := fix_for_code(entry.code, product, _SITE, needs=[Need(need)]):
                yield product, one
