"""Generate a configuration from a kind and a site. Pure: same arguments, same text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from stlaunch.proxies.model import Kind, Part, Parts, recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site, fill
from stlaunch.proxies.stopping import DRAIN_S, stop_timeout_s
from stlaunch.proxies.template import Group, commented, compose, explained, snippets, whole
from stlaunch.quick_dataclass import dataclass

_WIDTH = 96
_VERBATIM = "    "
"""The start of those lines of the head that are to be copied, and so not wrapped."""


def _every_kind() -> Iterator[Kind]:
    for product in Product:
        yield from recipe(product).kinds


KINDS = {kind.name: kind for kind in _every_kind()}
"""By name, in the order of the documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration in its three forms."""

    kind: Kind
    head: tuple[str, ...]
    """The comments before the first line, a sentence each."""
    groups: tuple[Group, ...]
    elsewhere: Mapping[str, tuple[str, ...]]
    """The lines that do not go into this kind's file, such as a command line, by their place."""

    @property
    def body(self) -> str:
        """The whole file without its head."""
        return whole(self.groups, self.kind.comment)

    @property
    def text(self) -> str:
        """The whole file."""
        return self._with_head(self.body)

    @property
    def snippet(self) -> str:
        """What is pasted into an existing site."""
        return self._with_head(snippets(self.groups, self.kind.comment))

    @property
    def explained(self) -> str:
        """Every line, and why it is there."""
        return explained(self.groups)

    def _with_head(self, body: str) -> str:
        lines = [
            line
            for sentence in self.head
            for line in (
                [sentence] if sentence.startswith(_VERBATIM) else textwrap.wrap(sentence, _WIDTH)
            )
        ]
        head = "".join(commented(line, self.kind.comment) + "\n" for line in lines)
        first, newline, rest = body.partition("\n")
        if first.startswith("<?xml"):  # nothing may come before it
            return f"{first}{newline}{head}{rest}"
        return f"{head}\n{body}"


def generate(kind: Kind, site: Site, *, drain_s: float = DRAIN_S) -> Configuration:
    """Write the configuration of one site.

    Args:
        kind: which one.
        site: its values.
        drain_s: how long the app waits for running scripts, for a file that stops it too.
    """
    parts, more = kind.shape(site, _parts(kind, site))
    facts = {
        "tls": site.is_https and kind.ends_tls,
        "keep": site.keep_prefix or not site.base_path.value,
        "strip": not site.keep_prefix and bool(site.base_path.value),
        "replicas": len(site.servers) > 1,
        "named": bool(site.host),
        "rooted": not site.base_path.value,
        "restricted": bool(site.self_check_from),
        "secured": site.has_security_headers,
        "certified": site.is_https and bool(site.certificate),
        "bound": bool(site.bind),
    }
    values = (
        site.values
        | more
        | {
            "count": str(len(site.servers)),
            "public": public_url_of(site),
            "stop_s": str(stop_timeout_s(drain_s)),
        }
    )
    elsewhere = _elsewhere(kind, parts)
    return Configuration(
        kind=kind,
        head=(*_head(kind, site), *_tell(elsewhere, kind, site)),
        groups=compose(kind.template, values, parts=parts, facts=facts),
        elsewhere=elsewhere,
    )


def _parts(kind: Kind, site: Site) -> Parts:
    known = recipe(kind.product)
    routed = known.parts_for(Need.ROUTE, site)
    placed: dict[str, list[Part]] = {}
    secured = (Need.SECURITY_HEADERS,) if site.has_security_headers else ()
    large = (Need.HEADER_SIZE,) if site.has_login else ()
    for need in (*secured, *large, *kind.needs):
        if need is Need.SLASH and not site.base_path.value:
            continue
        if need is Need.AFFINITY and len(site.servers) == 1:
            continue
        for part in known.parts_for(need, site):
            # A fix for affinity is pasted alone, so it includes the route to the replicas.
            if need is not Need.AFFINITY or part not in routed:
                placed.setdefault(part.place, []).append(part)
    return {place: tuple(parts) for place, parts in placed.items()}


def public_url_of(site: Site) -> str:
    """Return the address that browsers show; the path alone where the host is not known."""
    usual = 443 if site.is_https else 80
    port = "" if site.port == usual else f":{site.port}"
    if not site.host:
        return site.base_path.value or "/"
    return f"{site.values['scheme']}://{site.host}{port}{site.base_path.value}"


def _elsewhere(kind: Kind, parts: Mapping[str, Sequence[Part]]) -> dict[str, tuple[str, ...]]:
    lines = {
        place: tuple(line for part in parts.get(place, ()) for line in part.lines.splitlines())
        for place in recipe(kind.product).places
        if f"@{place}\n" not in kind.template
    }
    return {place: known for place, known in lines.items() if known}


def _tell(elsewhere: Mapping[str, tuple[str, ...]], kind: Kind, site: Site) -> list[str]:
    listing = []
    for place, lines in elsewhere.items():
        where = fill(recipe(kind.product).places[place], site.values)
        listing += [f"Also, {where}:", *(_VERBATIM + line for line in lines)]
    return listing


def _head(kind: Kind, site: Site) -> tuple[str, ...]:
    path = "strips" if not site.keep_prefix and site.base_path.value else "keeps"
    head = [
        f"{kind.title} before a Streamlit app; written by stlaunch proxy {kind.name}.",
        f"The app: stlaunch app.py --behind-proxy {public_url_of(site)}",
        f"This {path} the path {site.values['base_slash']}; uploads up to {site.max_upload_mb} MB.",
    ]
    if site.is_whole:
        head.append(f"It goes into {kind.put_into}.")
    reload = recipe(kind.product).reload
    if reload:
        head.append(f"Then: {reload}")
    return (*head, *kind.notes)
