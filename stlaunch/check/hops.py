"""Recognise which products stand between the browser and the app, from what their answers carry.

What leaves no trace (HAProxy, Traefik, an Application Load Balancer on success) is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stlaunch.check.observations import Exchange, HeaderPairs, Observations, Opening
from stlaunch.proxies import Product

_VERSION = r"(?:[/ ]v?(?P<version>[0-9][\w.]{0,20}))?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One thing that answers.

    Attributes:
        name: as people call it.
        product: the one that lines are known for; None for others.
        version: empty where it does not tell.
        evidence: what gave it away.
    """

    name: str
    product: Product | None = None
    version: str = ""
    evidence: str = ""
    is_app: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    def as_dict(self) -> dict[str, str | bool | None]:
        """Return it for a JSON report."""
        return {
            "name": self.name,
            "product": str(self.product) if self.product else None,
            "version": self.version,
            "evidence": self.evidence,
            "is_app": self.is_app,
        }


@dataclass(frozen=True, slots=True)
class _Sign:
    """A header (lower-case name) or, with an empty name, a body that gives a product away."""

    header: str
    pattern: re.Pattern[str]
    name: str
    product: Product | None = None
    is_app: bool = False


def _sign(
    header: str, pattern: str, name: str, product: Product | None = None, *, is_app: bool = False
) -> _Sign:
    return _Sign(header, re.compile(pattern, re.IGNORECASE), name, product, is_app)


# The outermost first: this is also the order in which hops are listed.
_SIGNS = (
    _sign("cf-ray", r".", "Cloudflare", Product.CLOUDFLARE),
    _sign("server", r"cloudflare", "Cloudflare", Product.CLOUDFLARE),
    _sign("x-amz-cf-id", r".", "Amazon CloudFront"),
    _sign("x-azure-ref", r".", "Azure Front Door"),
    _sign("server", r"AkamaiGHost", "Akamai"),
    _sign("x-served-by", r"cache-", "Fastly"),
    _sign("server", r"Google Frontend", "Google Cloud"),
    _sign("via", r"1\.1 google", "Google Cloud load balancer"),
    _sign("server", r"awselb", "AWS load balancer", Product.AWS_ALB),
    _sign("set-cookie", r"^AWSALB", "AWS load balancer", Product.AWS_ALB),
    _sign("server", r"Microsoft-Azure-Application-Gateway", "Azure", Product.AZURE_GATEWAY),
    _sign("set-cookie", r"^ApplicationGatewayAffinity", "Azure", Product.AZURE_GATEWAY),
    _sign("set-cookie", r"^ARRAffinity", "Azure App Service"),
    _sign("server", rf"Microsoft-IIS{_VERSION}", "IIS", Product.IIS),
    _sign("x-vercel-id", r".", "Vercel"),
    _sign("fly-request-id", r".", "Fly.io"),
    _sign("via", r"vegur|heroku", "Heroku"),
    _sign("x-varnish", r".", "Varnish", Product.VARNISH),
    _sign("via", rf"varnish(?: \(Varnish{_VERSION}\))?", "Varnish", Product.VARNISH),
    _sign("", r"Guru Meditation", "Varnish", Product.VARNISH),
    _sign("x-squid-error", r".", "Squid"),
    _sign("via", rf"\(squid{_VERSION}\)", "Squid"),
    _sign("server", rf"istio-envoy{_VERSION}", "Istio (Envoy)", Product.ENVOY),
    _sign("server", rf"envoy{_VERSION}", "Envoy", Product.ENVOY),
    _sign("x-envoy-upstream-service-time", r".", "Envoy", Product.ENVOY),
    _sign("", r"upstream connect error or disconnect/reset", "Envoy", Product.ENVOY),
    _sign("via", rf"Caddy{_VERSION}", "Caddy", Product.CADDY),
    _sign("server", rf"Caddy{_VERSION}", "Caddy", Product.CADDY),
    _sign("", r"Application is not available.{0,400}route", "OpenShift", Product.OPENSHIFT),
    _sign("", r"^default backend - 404", "ingress-nginx", Product.INGRESS_NGINX),
    _sign("server", rf"(?:nginx|openresty|tengine){_VERSION}", "nginx", Product.NGINX),
    _sign("", rf"<center>nginx{_VERSION}</center>", "nginx", Product.NGINX),
    _sign("server", rf"Apache{_VERSION}", "Apache", Product.APACHE),
    _sign("", rf"<address>Apache{_VERSION}", "Apache", Product.APACHE),
    _sign("server", rf"lighttpd{_VERSION}", "lighttpd", Product.LIGHTTPD),
    _sign("server", rf"h2o{_VERSION}", "h2o", Product.H2O),
    _sign("", r"^(?:<html><body><h1>)?503 Service Unavailable.{0,20}\s+No server is available",
          "HAProxy", Product.HAPROXY),
    _sign("", r"^<html><body><h1>\d{3} [\w -]+</h1>\s", "HAProxy", Product.HAPROXY),
    _sign("server", r"uvicorn", "Streamlit's own server (uvicorn)", is_app=True),
    _sign("server", rf"TornadoServer{_VERSION}", "Streamlit's own server (Tornado)", is_app=True),
)  # fmt: skip


_NAMES = {sign.product: sign.name for sign in reversed(_SIGNS) if sign.product}
_NAMES[Product.TRAEFIK] = "Traefik"
_NAMES[Product.ENVOY] = "Envoy"


def recognise(seen: Observations) -> tuple[Hop, ...]:
    """Return the hops that gave themselves away, the outermost first, the app last."""
    found: dict[str, Hop] = {}
    answers: list[Exchange | Opening] = [
        *seen.redirects,
        *seen.http.values(),
        *seen.openings.values(),
    ]
    for sign in _SIGNS:
        for answer in answers:
            hop = _seen_by(sign, answer)
            if hop is None:
                continue
            known = found.get(hop.name)
            if known is None or (hop.version and not known.version):
                found[hop.name] = hop
    for hop in (_traefik(answer) for answer in answers):
        if hop is not None:
            found.setdefault(hop.name, hop)
    for product in _told_by_app(seen):
        name = _NAMES.get(product, str(product))
        found.setdefault(name, Hop(name=name, product=product, evidence="headers that arrived"))
    hops = list(found.values())
    return tuple([hop for hop in hops if not hop.is_app] + [hop for hop in hops if hop.is_app])


def _told_by_app(seen: Observations) -> list[Product]:
    """Return what an app under stlaunch recognised by the headers that reached it."""
    request = (seen.self_check or {}).get("request")
    told = request.get("proxies") if isinstance(request, Mapping) else None
    known = {str(product): product for product in Product}
    return [known[name] for name in told or () if name in known] if isinstance(told, list) else []


def proxies(seen: Observations) -> tuple[Hop, ...]:
    """Return the recognised hops in front of the app."""
    return tuple(hop for hop in recognise(seen) if not hop.is_app)


def author_of(answer: Exchange | Opening) -> Hop | None:
    """Return who wrote this one answer, if it is not the app."""
    hops = [hop for sign in _SIGNS if (hop := _seen_by(sign, answer)) and not hop.is_app]
    return hops[0] if hops else _traefik(answer)


def _seen_by(sign: _Sign, answer: Exchange | Opening) -> Hop | None:
    for where, text in _texts(sign, answer.headers, answer.text):
        match = sign.pattern.search(text)
        if match:
            shown = f"{where}: {text[:60]}" if where else match[0][:60]
            return Hop(
                name=sign.name,
                product=sign.product,
                version=match.groupdict().get("version") or "",
                evidence=" ".join(_without_cookie_value(sign, shown).split()),
                is_app=sign.is_app,
            )
    return None


def _texts(sign: _Sign, headers: HeaderPairs, body: str) -> Iterator[tuple[str, str]]:
    if not sign.header:
        yield "", body[:4096]
        return
    yield from _named(headers, sign.header)


def _named(headers: Iterable[tuple[str, str]], wanted: str) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if name == wanted)


def _without_cookie_value(sign: _Sign, shown: str) -> str:
    return shown.partition("=")[0] if sign.header == "set-cookie" else shown


def _traefik(answer: Exchange | Opening) -> Hop | None:
    """Traefik names itself nowhere; its own errors are those of Go's net/http, without a Server."""
    if answer.header("server") or answer.header("via"):
        return None
    text = answer.text.strip()
    is_go_404 = (
        answer.status == 404  # noqa: PLR2004
        and text == "404 page not found"
        and answer.header("x-content-type-options") == "nosniff"
    )
    is_gateway_error = (answer.status, text) in {
        (502, "Bad Gateway"), (503, "no available server"), (504, "Gateway Timeout"),
        (503, "Service Unavailable"),
    }  # fmt: skip
    if is_go_404 or is_gateway_error:
        return Hop(name="Traefik", product=Product.TRAEFIK, evidence=text)
    return None
