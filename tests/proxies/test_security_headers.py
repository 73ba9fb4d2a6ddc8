"""`--security-headers` in the real proxies: valid, sent once, replacing the app's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stlaunch.diagnostics.page_policy import header_problems, page_policy
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import headers_for
from stlaunch.proxies.site import Site, plain_origins
from stlaunch.urls.base_path import BasePath
from tests.harness.generated import RUNNABLE, generated_site, start_generated, validate
from tests.harness.tls import Tls
from tests.harness.upstream import start_upstream
from tests.proxies.test_generated_proxies import fetch

EXPECTED = headers_for(Need.SECURITY_HEADERS, Site(base_path=BasePath("/app")))
LOOSE = (("Content-Security-Policy", "default-src *"), ("X-Frame-Options", "DENY"))
CANNOT = {Product.CLOUDFLARE, Product.INGRESS_NGINX}


@pytest.mark.proxy
@pytest.mark.parametrize("name", RUNNABLE)
def test_each_header_is_sent_once(name: str, tls: Tls, tmp_path: Path) -> None:
    """Two policies would both hold, and of two X-Frame-Options a browser takes none."""
    with start_upstream(*LOOSE) as upstream:
        site = generated_site(
            name, [upstream.port], keep_prefix=False, is_https=True, has_security_headers=True
        )
        with start_generated(name, site, tls if site.is_https else None) as proxy:
            _, headers = fetch(proxy, f"{proxy.base_path}/page")
    if name != "traefik":
        validate(name, replace(site, port=18443), tls, tmp_path)

    sent = {expected: headers.get_all(expected) for expected, _ in EXPECTED}
    assert sent == {expected: [value] for expected, value in EXPECTED}


@pytest.mark.parametrize("product", Product)
def test_every_product_that_can_has_the_lines(product: Product) -> None:
    needs = {Need.SECURITY_HEADERS, Need.CONTENT_POLICY, Need.FRAME_OPTIONS}
    known = recipe(product).parts

    assert (product in CANNOT) == (not needs & set(known))
    assert product in CANNOT or needs <= set(known)


def test_no_rule_finds_a_fault_in_them() -> None:
    """One for `check`, `lint` and the self-check page."""
    assert list(header_problems(EXPECTED, EXPECTED)) == []


def test_only_plain_origins_reach_a_configuration() -> None:
    origins = ("https://portal.example", "https://portal.example:8443", "'self'", "*", "https:",
               'https://a";x', "https://a b", "https://A.example", "http://[::1]")  # fmt: skip

    assert plain_origins(origins) == origins[:2]
    assert page_policy(origins[:1]).endswith("frame-ancestors 'self' https://portal.example")
