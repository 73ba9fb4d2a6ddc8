"""Compose the text that fixes a finding in one proxy, from the catalogue and the proxy's lines.

It contains no lines of its own: `stlaunch.proxies` is their only source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stlaunch.diagnostics.catalogue import codes, entry
from stlaunch.diagnostics.page_policy import COMPONENT_HEADERS, PAGE_HEADERS, header_problems
from stlaunch.diagnostics.ranking import rank, step_of
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.proxies.fixes import WORDS_FIRST, fix_for_code
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.site import Site

# The codes that the browser page can name.
PAGE_CODES = (
    *("STL121", "STL122", "STL125", "STL207", "STL208", "STL210"),
    *("STL301", "STL304", "STL305", "STL306", "STL307", "STL308", "STL309", "STL312"),
    *("STL401", "STL402", "STL403", "STL404", "STL407"),
    *("STL501", "STL502", "STL505", "STL506", "STL507", "STL511", "STL512"),
    *("STL601", "STL602", "STL604", "STL605", "STL607"),
    *("STL702", "STL704", "STL806", "STL809", "STL810", "STL811"),
)


def fix_of_code(code: str, product: Product | None, site: Site) -> str:
    """Return the lines for a product, else the catalogue's own words; empty without either."""
    fix = fix_for_code(code, product, site) if product else None
    if fix is None:
        return entry(code).fix
    return f"{entry(code).fix}\n{fix.text}" if code in WORDS_FIRST else fix.text


def describe_header_problems(query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Evaluate the headers that the browser got and a proxy may have added; the worst first.

    Args:
        query: what the self-check page saw, as `page content-security-policy` and the like.
    """

    def seen(what: str, names: Sequence[str]) -> list[tuple[str, str]]:
        return [(name, query[f"{what} {name}"]) for name in names if f"{what} {name}" in query]

    found = header_problems(seen("page", PAGE_HEADERS), seen("component", COMPONENT_HEADERS))
    ranked = [
        (one, entry(one.code).severity_under((one.milder,) if one.milder else ())) for one in found
    ]
    ranked.sort(key=lambda pair: rank(pair[0].code, pair[1]))
    return [
        {"code": one.code, "detail": one.detail, "severity": severity} for one, severity in ranked
    ]


def describe_fixes(product: Product | None, site: Site) -> dict[str, Any]:
    """Return the texts for each code that the page can name, and what determines its rank."""
    known = codes()
    return {
        "schema": "stlaunch.fixes/1",
        "product": product,
        "products": {str(item): recipe(item).title for item in Product},
        "codes": {
            code: {
                "title": entry(code).title,
                "severity": entry(code).severity,
                "step": step_of(code),
                "falls_back": Circumstance.FALLBACK in entry(code).severity_when,
                "problem": entry(code).problem,
                "fix": fix_of_code(code, product, site),
            }
            for code in PAGE_CODES
            if code in known
        },
    }
