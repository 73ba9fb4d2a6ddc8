"""How pages reached the app: logged once, bounded, and never acted on."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.forwarded import Forwarded
from stlaunch.gateway.monitor.observed_routes import ObservedRoutes
from stlaunch.gateway.request import RequestInfo
from stlaunch.proxies.recognition import names_in_request
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from stlaunch.urls.public_paths import PrefixMode
from stlaunch.urls.streamlit_routes import RequestKind


def make_request(
    host: str = "app.example.com", *, is_trusted: bool = True, **headers: str
) -> RequestInfo:
    return RequestInfo(
        peer="127.0.0.1",
        client=None,
        path="/",
        scheme="https",
        host=HostPort.parse(host),
        forwarded=Forwarded(is_peer_trusted=is_trusted, hops=2),
        kind=RequestKind.PAGE_SCRIPT,
        name="",
        mode=PrefixMode.STRIPPED,
        public_path=BasePath("/app"),
        app_path="/_stlaunch/page.js",
        base=BasePath("/app"),
        streamlit_path="/_stlaunch/page.js",
        is_tunnel=False,
        headers=tuple(
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ),
    )


def test_a_route_is_kept_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    routes = ObservedRoutes()
    caplog.set_level(logging.INFO, "stlaunch")

    for _ in range(3):
        routes.note(make_request("app.example.com:443", via="1.1 varnish"))

    assert routes.as_list(make_request()) == [
        {
            "public_origin": "https://app.example.com",
            "base_path": "/app",
            "mode": "stripped",
            "proxies": ["varnish"],
            "hops": 2,
            "peer_is_trusted": True,
            "requests": 3,
        }
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "Reached at https://app.example.com/app/ through varnish, path stripped, 2 trusted proxies."
    ]


@pytest.mark.parametrize(
    ("host", "base", "referer", "expected"),
    [
        pytest.param("app.test", "/app", "https://app.test:8443/app/page2",
                     "https://app.test:8443/app/", id="port behind Host $host"),
        pytest.param("app.test", "/app", "https://app.test/app/?x=/y",
                     "https://app.test/app/", id="the usual port"),
        pytest.param("app.test", "", "https://app.test/tools/app/", "https://app.test/tools/app/",
                     id="stripped silently"),
        pytest.param("app.test", None, "https://app.test:8443/app/page2",
                     "https://app.test:8443/app/", id="not known yet"),
        pytest.param("app.test", "/app", "https://evil.test:1/else/", "https://app.test/app/",
                     id="another host"),
        pytest.param("app.test", "", "https://app.test//evil.test/x", "https://app.test/",
                     id="an odd path"),
        pytest.param("app.test", "", "https://[::1/", "https://app.test/", id="malformed"),
        pytest.param("app.test", "", "about:client", "https://app.test/", id="no address"),
    ],
)  # fmt: skip
def test_the_log_has_the_address_that_the_browser_shows(
    host: str, base: str | None, referer: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stlaunch")
    request = make_request(host, referer=referer)
    path = BasePath(base) if base is not None else None
    ObservedRoutes().note(replace(request, public_path=path, base=path))

    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"Reached at {expected}")
    assert line[len(f"Reached at {expected}")] in ",. "


def test_a_client_that_sends_no_port_sees_its_own_address() -> None:
    routes = ObservedRoutes()
    routes.note(make_request("app.test", referer="https://app.test:8443/app/"))

    assert routes.as_list(make_request("app.test"))[0]["public_origin"] == "https://app.test:8443"


def test_another_clients_address_is_not_shown() -> None:
    routes = ObservedRoutes()
    routes.note(make_request("private.example.com", via="1.1 varnish"))

    (route,) = routes.as_list(make_request("app.example.com"))

    assert route["public_origin"] is None
    assert route["proxies"] == ["varnish"]


def test_an_untrusted_peer_names_no_proxy() -> None:
    routes = ObservedRoutes()
    routes.note(make_request(is_trusted=False, via="1.1 forged"))
    assert routes.as_list(make_request())[0]["proxies"] == []


def test_only_a_few_routes_are_kept() -> None:
    routes = ObservedRoutes()
    for number in range(100):
        routes.note(make_request(f"host{number}.example"))
    assert len(routes.as_list(make_request())) == 8


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"via", b"1.1 varnish (Varnish/7.1), HTTP/2.0 Caddy")], ("varnish", "Caddy")),
        ([(b"via", b"1.0 fred:80, 1.1 p.example.net (Apache)")], ("another proxy",)),
        ([(b"cf-ray", b"8a-FRA"), (b"x-amzn-trace-id", b"Root=1")],
         ("Cloudflare", "AWS load balancer")),
        ([(b"via", b"<script>alert(1)</script>")], ()),
        ([(b"via", b"1.1 a\nb")], ()),
        ([], ()),
    ],
    ids=["list", "rfc", "vendors", "markup", "control", "none"],
)  # fmt: skip
def test_products_are_read_from_request_headers(
    headers: list[tuple[bytes, bytes]], expected: tuple[str, ...]
) -> None:
    assert names_in_request(headers) == expected


@given(st.lists(st.tuples(st.sampled_from([b"via", b"cf-ray"]), st.binary(max_size=60))))
def test_products_are_short_plain_words_whatever_comes(headers: list[tuple[bytes, bytes]]) -> None:
    found = names_in_request(headers)

    assert len(found) <= 4
    assert all(len(name) <= 40 and name.isprintable() for name in found)
