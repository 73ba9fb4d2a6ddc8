"""Recognise the hops between the browser and the app by their answers.

The signs themselves are in `stlaunch.proxies.recognition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from stlaunch.check.hop import Hop
from stlaunch.check.observations import Exchange, HeaderPairs, Observations, Opening
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.recognition import sightings_in_answer, table


def recognise(seen: Observations) -> tuple[Hop, ...]:
    """Return the hops that gave themselves away, the outermost first, the app last."""
    answers: list[Exchange | Opening] = [
        *seen.redirects,
        *seen.http.values(),
        *seen.openings.values(),
    ]
    found: dict[str, Hop] = {}
    for hop in (hop for answer in answers for hop in _hops_in(answer)):
        key = str(hop.product or hop.name)
        known = found.get(key)
        if known is None or (hop.version and not known.version):
            found[key] = hop
    for product in _told_by_app(seen):
        hop = Hop(name=recipe(product).title, product=product, evidence="headers that arrived")
        found.setdefault(str(product), hop)
    ranks = {str(known.product or known.name): rank for rank, known in enumerate(table())}
    return tuple(
        found[key]
        for key in sorted(found, key=lambda key: (found[key].is_app, ranks.get(key, len(ranks))))
    )


def _told_by_app(seen: Observations) -> list[Product]:
    """Return what an app under stlaunch recognised by the headers that reached it."""
    request = (seen.self_check or {}).get("request")
    names = request.get("proxies") if isinstance(request, Mapping) else None
    known = {str(product): product for product in Product}
    return [known[name] for name in names or () if name in known] if isinstance(names, list) else []


def proxies(seen: Observations) -> tuple[Hop, ...]:
    """Return the recognised hops in front of the app."""
    return tuple(hop for hop in recognise(seen) if not hop.is_app)


def author_of(answer: Exchange | Opening) -> Hop | None:
    """Return the hop that wrote this answer, if it is not the app."""
    return next((hop for hop in _hops_in(answer) if not hop.is_app), None)


def _hops_in(answer: Exchange | Opening) -> tuple[Hop, ...]:
    return _hops(answer.headers, answer.text, answer.status or 0)


@lru_cache  # many rules ask about the same answers
def _hops(headers: HeaderPairs, text: str, status: int) -> tuple[Hop, ...]:
    return tuple(
        Hop(
            name=sighting.known.name,
            product=sighting.known.product,
            version=sighting.version,
            evidence=sighting.evidence,
            is_app=sighting.known.is_app,
        )
        for sighting in sightings_in_answer(headers, body=text, status=status)
    )
