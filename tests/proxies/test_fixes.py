"""One source of lines for every proxy: filled in, placed, plain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath

BASE = BasePath("/streamlitApp")
SITES = {
    "kept": Site(base_path=BASE),
    "stripped": Site(base_path=BASE, keep_prefix=False),
    "whole": Site(base_path=BASE, is_whole=True),
    "replicas": Site(base_path=BASE, replicas=("10.0.0.1:8501", "10.0.0.2:8501")),
    "root": Site(base_path=BasePath(), is_https=False),
    "closed": Site(base_path=BASE, self_check_from=(), identity_headers=()),
}
# What each product must be told in so many words; the rest it covers by itself or cannot do.
BY_HAND = {
    Product.NGINX: {
        "upgrade",
        "host",
        "scheme",
        "client",
        "body-size",
        "idle-timeout",
        "buffering",
    },
    Product.APACHE: {"upgrade", "host", "scheme", "client", "idle-timeout"},
    Product.CADDY: {"client", "body-size", "idle-timeout", "buffering"},
    Product.TRAEFIK: {"client", "idle-timeout", "host"},
    Product.HAPROXY: {"host", "scheme", "client", "idle-timeout", "body-size"},
    Product.ENVOY: {"upgrade", "client", "scheme", "idle-timeout"},
    Product.LIGHTTPD: {"upgrade", "body-size", "idle-timeout", "buffering"},
    Product.H2O: {"upgrade", "host", "body-size", "idle-timeout"},
    Product.VARNISH: {"upgrade", "host", "scheme", "idle-timeout", "buffering"},
    Product.GATEWAY_API: {"upgrade", "idle-timeout"},
    Product.INGRESS_NGINX: {"body-size", "idle-timeout", "buffering"},
    Product.OPENSHIFT: {"client", "idle-timeout"},
    Product.AWS_ALB: {"host", "client", "idle-timeout"},
    Product.AZURE_GATEWAY: {"host", "client", "body-size", "idle-timeout"},
    Product.CLOUDFLARE: {"host", "idle-timeout"},
    Product.IIS: {"upgrade", "host", "scheme", "client", "body-size", "idle-timeout"},
}
WITHOUT_AFFINITY = {Product.H2O, Product.CLOUDFLARE}


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
@pytest.mark.parametrize("product", Product)
def test_every_fix_is_filled_in_and_placed(product: Product, site: Site) -> None:
    for need in Need:
        known = fix_for(need, product, site)
        if known is None:
            continue

        assert known.lines.strip(), need
        assert known.where.startswith(("in ", "on ")), need
        assert known.why.endswith("."), need
        assert "<<" not in known.text, need


@pytest.mark.parametrize("product", Product)
def test_every_product_gets_the_lines_it_needs(product: Product) -> None:
    fixed = {need.value for need in Need if fix_for(need, product, SITES["kept"])}

    assert BY_HAND[product] <= fixed


@pytest.mark.parametrize("product", Product)
def test_every_place_is_used_and_known(product: Product) -> None:
    known = recipe(product)
    used = {
        part.place
        for site in SITES.values()
        for need in Need
        for part in known.parts_for(need, site)
    }

    assert used == set(known.places)


@pytest.mark.parametrize("product", Product)
def test_affinity_is_offered_where_the_product_has_it(product: Product) -> None:
    has_it = fix_for(Need.AFFINITY, product, SITES["replicas"]) is not None

    assert has_it == (product not in WITHOUT_AFFINITY)


# What the lines for affinity use, and so must bring along: each is pasted alone.
AFFINITY_IS_WHOLE = {
    Product.NGINX: ("upstream streamlit {", "proxy_pass http://streamlit;"),
    Product.APACHE: ("<Proxy balancer://streamlit>", '" "balancer://streamlit/streamlitApp/"'),
    Product.HAPROXY: ("cookie stlaunch_replica insert", "cookie r1 check"),
    Product.ENVOY: ("lb_policy: RING_HASH", "name: stlaunch_replica"),
    Product.VARNISH: ("import directors;", "backend app1 {", "streamlit.backend("),
}


@pytest.mark.parametrize("site", [SITES["kept"], SITES["replicas"]], ids=["unknown", "known"])
@pytest.mark.parametrize("product", AFFINITY_IS_WHOLE)
def test_affinity_brings_along_what_it_uses(product: Product, site: Site) -> None:
    """HAProxy's cookie does nothing without one on each server, a group nothing without a route."""
    fix = fix_for(Need.AFFINITY, product, site)
    route = fix_for(Need.ROUTE, product, SITES["replicas"])

    assert fix is not None
    assert route is not None
    for lines in AFFINITY_IS_WHOLE[product]:
        assert lines in fix.lines
    if site.replicas:
        assert set(route.lines.splitlines()) <= set(fix.lines.splitlines())


@pytest.mark.parametrize("product", Product)
def test_cookies_are_secure_where_the_browser_speaks_https(product: Product) -> None:
    site = Site(base_path=BASE, is_https=False)
    plain = fix_for(Need.AFFINITY, product, site)
    encrypted = fix_for(Need.AFFINITY, product, replace(site, is_https=True))
    names = {Product.NGINX, Product.APACHE, Product.HAPROXY, Product.TRAEFIK}

    if product in names and plain and encrypted:
        said = plain.lines.lower().replace("secure: false", "")
        assert "secure" not in said
        assert "secure" in encrypted.lines.lower()
    else:
        assert plain == encrypted


def test_a_path_that_a_configuration_could_misread_is_not_written() -> None:
    known = fix_for(Need.SLASH, Product.NGINX, Site(base_path=BasePath("/a;$b")))

    assert known is not None
    assert "/a;$b" not in known.text
    assert "/YOUR-PATH/" in known.lines


def test_limits_follow_the_app() -> None:
    site = Site(base_path=BASE, max_upload_mb=500, ping_interval_s=45)
    body = fix_for(Need.BODY_SIZE, Product.NGINX, site)
    idle = fix_for(Need.IDLE_TIMEOUT, Product.NGINX, site)

    assert body is not None
    assert body.lines == "client_max_body_size 501m;"
    assert idle is not None
    assert idle.lines.startswith("proxy_read_timeout 180s;")
