"""Recognise the proxies on the way from a request or an answer.

Signs, not proof: anybody can write a header, and what leaves no trace is not guessed. Only what is
shown and which fix is chosen may depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from stlaunch.proxies import services
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.signs import PageKind, Side, Sign
from stlaunch.quick_dataclass import dataclass

_BODY_CHARACTERS = 4096
_EVIDENCE_CHARACTERS = 60
_MAX_NAMES = 4
_UNNAMED = "another proxy"
# What browsers send, and what any proxy adds: none is a sign. A process that sees nothing else
# never reads the products' files, which would be a fifth of the time until its first page.
PLAIN = frozenset({
    "accept", "accept-encoding", "accept-language", "cache-control", "connection",
    "content-length", "content-type", "cookie", "dnt", "forwarded", "host", "if-modified-since",
    "if-none-match", "origin", "pragma", "priority", "range", "referer", "save-data",
    "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode",
    "sec-fetch-site", "sec-fetch-user", "sec-gpc", "sec-websocket-extensions",
    "sec-websocket-key", "sec-websocket-protocol", "sec-websocket-version", "te", "upgrade",
    "upgrade-insecure-requests", "user-agent", "x-forwarded-for", "x-forwarded-host",
    "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-real-ip", "x-stlaunch",
    "x-xsrftoken",
})  # fmt: skip
_VIA = re.compile(r"(?:[A-Za-z]+/)?\d(?:\.\d)?[ \t]+(?P<by>[A-Za-z0-9._-]{1,40})(?:[: \t].*)?")

_ASKED_FOR = frozenset({PageKind.LOGIN, PageKind.REFUSAL})

# In order from the browser to the app, if there are several; CDNs and clouds first.
_CLOUDS = (Product.AWS_ALB, Product.AZURE_GATEWAY, Product.IIS)
_NEAREST = (
    Product.VARNISH,
    Product.ENVOY,
    Product.CADDY,
    Product.OPENSHIFT,
    Product.INGRESS_NGINX,
    Product.GATEWAY_API,
    Product.NGINX,
    Product.APACHE,
    Product.LIGHTTPD,
    Product.H2O,
    Product.HAPROXY,
    Product.TRAEFIK,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A row of the table: a sign and its owner.

    Attributes:
        sign: the sign.
        name: as people call it.
        product: the one that lines are known for; None for others.
        is_app: it is the app itself.
    """

    sign: Sign
    name: str
    product: Product | None = None
    is_app: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something that gave itself away in one answer.

    Attributes:
        known: the row of the table.
        version: empty if it does not reveal it.
        evidence: what gave it away.
    """

    known: Known
    version: str
    evidence: str


@cache
def table() -> tuple[Known, ...]:
    """Return every known sign, those of the outermost hop first."""
    return (
        *_of_product(Product.CLOUDFLARE),
        *(Known(sign=sign, name=sign.name) for sign in services.OUTER),
        *(known for product in _CLOUDS for known in _of_product(product)),
        *(Known(sign=sign, name=sign.name) for sign in services.INNER),
        *(known for product in _NEAREST for known in _of_product(product)),
        *(Known(sign=sign, name=sign.name) for sign in services.PAGES),
        *(Known(sign=sign, name=sign.name, is_app=True) for sign in services.APP),
    )


def _of_product(product: Product) -> Iterator[Known]:
    known = recipe(product)
    for sign in known.signs:
        yield Known(sign=sign, name=sign.name or known.title, product=product)


@cache
def answer_headers() -> tuple[str, ...]:
    """Return the headers of an answer that reveal a product and that a page's script can read."""
    signs = (known.sign for known in table() if known.product)
    readable = (sign.header for sign in signs if sign.header and sign.side is not Side.REQUEST)
    return tuple(sorted({*readable} - {"set-cookie"}))


def products_in(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Product, ...]:
    """Return the products that left a sign in headers, each once, the nearest to the app first.

    That one is the first guess for a fix: whoever runs the app configures it.
    """
    values = _by_name(_as_text(headers))
    if values.keys() <= PLAIN:
        return ()
    found = [
        known.product
        for known in table()
        if known.product and known.sign.header and any(_matches(known.sign, values))
    ]
    return tuple(dict.fromkeys(reversed(found)))


def names_in_request(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """Name the hops that a request claims to have passed, in the order of its headers.

    Anybody can write `Via`, and the names are shown to others: only those of known products and
    services are repeated.

    >>> names_in_request([(b"via", b"1.1 varnish (Varnish/7.1), 2.0 Caddy"), (b"cf-ray", b"8a")])
    ('varnish', 'Caddy', 'Cloudflare')
    """
    values = _by_name(_as_text(headers))
    if values.keys() <= PLAIN:
        return ()
    found: dict[str, str] = {}
    # Each name once, however many lines have it: one request may have thousands.
    for name, lines in values.items():
        if name == "via":
            for entry in ",".join(lines).split(",")[-_MAX_NAMES:]:
                if match := _VIA.fullmatch(entry.strip(" \t")):
                    shown = match["by"] if match["by"].lower() in _names() else _UNNAMED
                    found.setdefault(shown.lower(), shown)
            continue
        for known in _signs_in_requests().get(name, ()):
            if any(_matches(known.sign, values)):
                found.setdefault(known.name.lower(), known.name)
    return tuple(found.values())[:_MAX_NAMES]


@cache
def _signs_in_requests() -> Mapping[str, Sequence[Known]]:
    signs: dict[str, list[Known]] = {}
    for known in table():
        if known.sign.header and known.sign.side is not Side.ANSWER:
            signs.setdefault(known.sign.header, []).append(known)
    return signs


@cache
def _names() -> frozenset[str]:
    of_hops = {known.name.lower() for known in table() if known.sign.page not in _ASKED_FOR}
    return frozenset(of_hops | {str(item) for item in Product})


def sightings_in_answer(
    headers: Sequence[tuple[str, str]], *, body: str, status: int
) -> Iterator[Sighting]:
    """Yield what gave itself away in one answer, the outermost first; the app's server last.

    Args:
        headers: with names in lower case.
        body: its beginning is enough.
        status: of the answer; 0 without one.
    """
    values = _by_name(headers)
    for known in table():
        sign = known.sign
        if sign.side is Side.REQUEST or sign.status not in {0, status} or sign.page in _ASKED_FOR:
            continue
        if sign.header and sign.header not in values:
            continue
        for match in _matches(sign, values, body):
            shown = match[0][:_EVIDENCE_CHARACTERS]
            if sign.header:
                # For a cookie, only its name.
                text = match[0] if sign.header == "set-cookie" else match.string
                shown = f"{sign.header}: {text[:_EVIDENCE_CHARACTERS]}"
            yield Sighting(
                known=known,
                version=match.groupdict().get("version") or "",
                evidence=" ".join(shown.split()),
            )
            break


def whose_page(kind: PageKind, text: str) -> str:
    """Name the owner of a page of this kind, given its text or address; empty if none is known.

    >>> whose_page(PageKind.LOGIN, "https://sso.example.com/realms/staff/protocol/openid-connect")
    'Keycloak'
    """
    found = (known for known in table() if known.sign.page is kind)
    return next((known.name for known in found if known.sign.pattern.search(text)), "")


def _matches(
    sign: Sign, values: Mapping[str, Sequence[str]], body: str = ""
) -> Iterator[re.Match[str]]:
    if not sign.present <= values.keys() or not sign.absent.isdisjoint(values):
        return
    texts = values.get(sign.header, ()) if sign.header else (body[:_BODY_CHARACTERS],)
    yield from filter(None, map(sign.pattern.search, texts))


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return values


def _as_text(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
