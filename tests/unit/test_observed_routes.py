"""What first requests tell: shown once, bounded, and never acted on."""

from __future__ import annotations

import logging

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


def make_arrival(
    host: str = "app.example.com", *, is_trusted: bool = True, **headers: str
) -> RequestInfo:
    return RequestInfo(
        peer="127.0.0.1",
        path="/",
        scheme="https",
        host=HostPort.parse(host),
        forwarded=Forwarded(is_peer_trusted=is_trusted, hops=2),
        public=BasePath("/app"),
        mode=PrefixMode.STRIPPED,
        headers=tuple(
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ),
    )


def test_a_lesson_is_kept_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    learned = ObservedRoutes()
    caplog.set_level(logging.INFO, "stlaunch")

    for _ in range(3):
        learned.note(make_arrival("app.example.com:443", via="1.1 varnish"))

    assert learned.as_list(make_arrival()) == [
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


def test_another_clients_address_is_not_shown() -> None:
    learned = ObservedRoutes()
    learned.note(make_arrival("private.example.com", via="1.1 varnish"))

    (told,) = learned.as_list(make_arrival("app.example.com"))

    assert told["public_origin"] is None
    assert told["proxies"] == ["varnish"]


def test_an_untrusted_peer_names_no_proxy() -> None:
    learned = ObservedRoutes()
    learned.note(make_arrival(is_trusted=False, via="1.1 forged"))
    assert learned.as_list(make_arrival())[0]["proxies"] == []


def test_only_a_few_lessons_are_kept() -> None:
    learned = ObservedRoutes()
    for number in range(100):
        learned.note(make_arrival(f"host{number}.example"))
    assert len(learned.as_list(make_arrival())) == 8


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"via", b"1.1 varnish (Varnish/7.1), HTTP/2.0 Caddy")], ("varnish", "Caddy")),
        ([(b"via", b"1.0 fred:80, 1.1 p.example.net (Apache)")], ("fred", "p.example.net")),
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
