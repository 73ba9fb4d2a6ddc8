"""One table recognises proxies, from requests for the app and from answers for the check."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest

from stlaunch.check.hops import author_of, recognise
from stlaunch.check.observations import Exchange, Observations
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.recognition import PLAIN, names_in_request, products_in, table, whose_page
from stlaunch.proxies.signs import PageKind, Side
from tests.conftest import REPOSITORY

ANSWERS = {
    "nginx": ([("server", "nginx/1.31.1")], "", 200, Product.NGINX, "1.31.1"),
    "openresty": ([("server", "openresty/1.25.3.1")], "", 200, Product.NGINX, "1.25.3.1"),
    "nginx-page": ([], "<center>nginx/1.22.1</center>", 502, Product.NGINX, "1.22.1"),
    "apache": ([("server", "Apache/2.4.65 (Debian)")], "", 200, Product.APACHE, "2.4.65"),
    "caddy": ([("via", "1.1 Caddy"), ("server", "uvicorn")], "", 200, Product.CADDY, ""),
    "traefik-404": (
        [("x-content-type-options", "nosniff")],
        "404 page not found\n",
        404,
        Product.TRAEFIK,
        "",
    ),
    "traefik-502": ([], "Bad Gateway", 502, Product.TRAEFIK, ""),
    "haproxy": (
        [],
        "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this",
        503,
        Product.HAPROXY,
        "",
    ),
    "envoy": ([("server", "envoy")], "", 403, Product.ENVOY, ""),
    "istio": ([("server", "istio-envoy")], "", 200, Product.ENVOY, ""),
    "lighttpd": ([("server", "lighttpd/1.4.69")], "", 404, Product.LIGHTTPD, "1.4.69"),
    "h2o": ([("server", "h2o/2.2.5")], "", 200, Product.H2O, "2.2.5"),
    "varnish": ([("x-varnish", "3"), ("via", "1.1 varnish (Varnish/7.1)")], "", 200,
                Product.VARNISH, "7.1"),
    "cloudflare": ([("cf-ray", "8a-FRA"), ("server", "cloudflare")], "", 200,
                   Product.CLOUDFLARE, ""),
    "alb": ([("set-cookie", "AWSALB=secret")], "", 200, Product.AWS_ALB, ""),
    "azure": ([("server", "Microsoft-Azure-Application-Gateway/v2")], "", 502,
              Product.AZURE_GATEWAY, ""),
    "iis": ([("server", "Microsoft-IIS/10.0")], "", 502, Product.IIS, "10.0"),
    "openshift": ([], "Application is not available ... the route", 503, Product.OPENSHIFT, ""),
    "ingress-nginx": ([], "default backend - 404", 404, Product.INGRESS_NGINX, ""),
}  # fmt: skip


def seen_alone(answer: Exchange) -> Observations:
    return Observations(
        url="http://x/", scheme="http", host="x", base_path="", at=0, http={"page": answer}
    )


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_names_its_author(
    answer: tuple[list[tuple[str, str]], str, int, Product, str],
) -> None:
    headers, body, status, product, version = answer
    seen = Exchange(url="http://x/", status=status, headers=tuple(headers), text=body)
    hop = author_of(seen)
    (listed, *others) = recognise(seen_alone(seen))

    assert hop is not None
    assert (hop.product, listed.version) == (product, version)
    assert listed.product == product
    assert all(other.is_app for other in others), "one proxy, one hop"
    assert "secret" not in hop.evidence


def test_the_apps_own_server_is_no_proxy() -> None:
    assert author_of(Exchange(url="http://x/", headers=(("server", "uvicorn"),))) is None


PAGES = {
    "nginx": (PageKind.DEFAULT, "<title>Welcome to nginx!</title>", "nginx"),
    "apache": (PageKind.DEFAULT, "<html><body><h1>It works!</h1></body></html>", "Apache"),
    "debian": (PageKind.DEFAULT, "<title>Apache2 Debian Default Page: It works</title>", "Apache"),
    "lighttpd": (PageKind.DEFAULT, "<h1>Placeholder page</h1>", "lighttpd"),
    "openshift": (PageKind.DEFAULT, "<h1>Application is not available</h1>", "OpenShift"),
    "tomcat": (PageKind.DEFAULT, "<h3>Apache Tomcat/9.0.1</h3>", "Tomcat"),
    "login": (PageKind.LOGIN, "https://login.microsoftonline.com/x", "Microsoft Entra ID"),
    "refusal": (PageKind.REFUSAL, "<title>Attention Required! | Cloudflare</title>", "Cloudflare"),
    "waf": (PageKind.REFUSAL, "Request unsuccessful. Incapsula incident ID: 1", "Imperva"),
    "own": (PageKind.DEFAULT, "<title>Streamlit</title>It works! Ask Cloudflare.", ""),
}


@pytest.mark.parametrize(("kind", "text", "name"), PAGES.values(), ids=PAGES)
def test_a_page_in_place_of_the_apps_is_named(kind: PageKind, text: str, name: str) -> None:
    assert whose_page(kind, text) == name


def test_words_of_a_login_or_a_firewall_name_nobody_on_the_way() -> None:
    """An app may link to a login, and write about ModSecurity."""
    text = "accounts.google.com, oauth2-proxy, mod_security, Request blocked"

    assert author_of(Exchange(url="http://x/", status=200, text=text)) is None


def test_no_other_module_recognises_a_product() -> None:
    """The languages of configurations, which `lint` reads, have products' names in them."""
    names = {known.name.lower() for known in table()}
    found = []
    for file in sorted((REPOSITORY / "stlaunch").rglob("*.py")):
        if {"proxies", "lint"}.isdisjoint(file.parts):
            patterns = [
                ast.unparse(node).lower()
                for node in ast.walk(ast.parse(file.read_text("utf-8")))
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"
            ]
            found += [
                f"{file.name}: {pattern}"
                for pattern in patterns
                for name in names
                if re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", pattern)
            ]

    assert found == []


REQUESTS = {
    "traefik": ("x-forwarded-server x-forwarded-port x-real-ip", Product.TRAEFIK),
    "apache": ("x-forwarded-server x-forwarded-host x-forwarded-for", Product.APACHE),
    "envoy": ("x-envoy-expected-rq-timeout-ms", Product.ENVOY),
    "lighttpd": ("x-host x-forwarded-proto", Product.LIGHTTPD),
    "varnish": ("x-varnish", Product.VARNISH),
    "iis": ("x-arr-log-id", Product.IIS),
    "alb": ("x-amzn-trace-id", Product.AWS_ALB),
    "azure": ("x-appgw-trace-id", Product.AZURE_GATEWAY),
    "cloudflare": ("cf-ray", Product.CLOUDFLARE),
    "ingress": ("x-scheme x-real-ip x-request-id", Product.INGRESS_NGINX),
}


@pytest.mark.parametrize(("names", "product"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_names_what_it_passed(names: str, product: Product) -> None:
    headers = [(name.encode(), b"1") for name in names.split()]

    assert products_in(headers) == (product,)
    assert names_in_request(headers) == (recipe(product).title,)


def test_each_product_has_a_title_and_signs_with_one_meaning() -> None:
    rows = [
        (known.sign.header, known.sign.pattern.pattern, known.sign.present, known.sign.absent)
        for known in table()
    ]

    assert len(rows) == len(set(rows)), "a sign stands for two"
    assert all(known.name for known in table())
    assert {known.product for known in table() if known.product} == {
        product for product in Product if recipe(product).signs
    }
    assert {known.sign.side for known in table() if not known.sign.header} == {Side.ANSWER}


def test_what_the_app_reports_is_listed_even_without_a_sign() -> None:
    seen = replace(
        seen_alone(Exchange(url="http://x/", headers=(("server", "uvicorn"),))),
        self_check={"request": {"proxies": ["gateway-api", "no such thing"]}},
    )
    first, last = recognise(seen)

    assert first.product is Product.GATEWAY_API
    assert last.is_app


def test_plain_headers_are_nobodys_sign() -> None:
    """Where a request has nothing else the table is not even read."""
    signs = {known.sign.header for known in table()}

    assert "via" in signs
    assert signs & PLAIN == set()


def test_plain_headers_hide_no_sign() -> None:
    plain = [(name.encode(), b"x") for name in sorted(PLAIN)]
    cloudflare = (b"cf-ray", b"8a-FRA")

    assert names_in_request(plain) == products_in(plain) == ()
    assert names_in_request([*plain, cloudflare]) == ("Cloudflare",)
    assert products_in([*plain, cloudflare]) == (Product.CLOUDFLARE,)
