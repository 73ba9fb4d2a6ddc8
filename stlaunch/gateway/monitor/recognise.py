"""Which proxies a request or a response went through, by the headers that they leave behind.

Signs, not proof: anybody can write a header. Only the choice of a fix depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stlaunch.proxies import Product

# Signs in values, checked against one header each.
_IN_VALUE: tuple[tuple[bytes, str, Product], ...] = (
    (b"server", r"nginx|openresty", Product.NGINX),
    (b"server", r"apache", Product.APACHE),
    (b"server", r"envoy", Product.ENVOY),
    (b"server", r"caddy", Product.CADDY),
    (b"server", r"lighttpd", Product.LIGHTTPD),
    (b"server", r"h2o/", Product.H2O),
    (b"server", r"microsoft-iis", Product.IIS),
    (b"server", r"microsoft-azure-application-gateway", Product.AZURE_GATEWAY),
    (b"server", r"awselb", Product.AWS_ALB),
    (b"server", r"cloudflare", Product.CLOUDFLARE),
    (b"via", r"caddy", Product.CADDY),
    (b"via", r"varnish", Product.VARNISH),
    (b"via", r"h2o", Product.H2O),
    (b"via", r"apache", Product.APACHE),
)
# Signs in names alone; all of a row have to be there, and none of its second column.
_IN_NAMES: tuple[tuple[frozenset[bytes], frozenset[bytes], Product], ...] = (
    (frozenset({b"x-original-forwarded-for"}), frozenset(), Product.INGRESS_NGINX),
    (frozenset({b"x-scheme", b"x-real-ip", b"x-request-id"}), frozenset(), Product.INGRESS_NGINX),
    (
        frozenset({b"x-forwarded-server", b"x-forwarded-port", b"x-real-ip"}),
        frozenset(),
        Product.TRAEFIK,
    ),
    (
        frozenset({b"x-forwarded-server", b"x-forwarded-host", b"x-forwarded-for"}),
        frozenset({b"x-forwarded-port", b"x-real-ip"}),
        Product.APACHE,
    ),
    (frozenset({b"x-envoy-expected-rq-timeout-ms"}), frozenset(), Product.ENVOY),
    (frozenset({b"x-envoy-external-address"}), frozenset(), Product.ENVOY),
    (frozenset({b"x-envoy-upstream-service-time"}), frozenset(), Product.ENVOY),
    (frozenset({b"x-varnish"}), frozenset(), Product.VARNISH),
    (frozenset({b"x-arr-log-id"}), frozenset(), Product.IIS),
    (frozenset({b"x-appgw-trace-id"}), frozenset(), Product.AZURE_GATEWAY),
    (frozenset({b"x-amzn-trace-id"}), frozenset(), Product.AWS_ALB),
    (frozenset({b"x-host", b"x-forwarded-proto"}), frozenset({b"x-real-ip"}), Product.LIGHTTPD),
    (frozenset({b"cf-ray"}), frozenset(), Product.CLOUDFLARE),
)


def recognise(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Product, ...]:
    """Return the proxies that left a sign, each once; a content network comes last.

    What is configured by whoever runs the app stands nearest to it, so that one is the first guess
    for a fix.
    """
    lines = [(name.lower(), value.decode("latin-1").lower()) for name, value in headers]
    names = frozenset(name for name, _ in lines)
    found = [
        product
        for name, pattern, product in _IN_VALUE
        if any(key == name and re.search(pattern, value) for key, value in lines)
    ]
    found += [
        product for present, absent, product in _IN_NAMES if present <= names and not absent & names
    ]
    unique = list(dict.fromkeys(found))
    return tuple(sorted(unique, key=lambda product: product is Product.CLOUDFLARE))
