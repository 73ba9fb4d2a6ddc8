"""Lines for an app on a Unix socket: its real path where the product can, and valid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stlaunch.check.fixes import site_of
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from tests.asgi.driver import STRANGER, Recorder, make, request
from tests.check.apps import make_certificates
from tests.check.paste_frames import Parts, frame_of
from tests.check.pasting import paste
from tests.check.recording import recorded
from tests.harness.validators import validate

SOCKET = "/run/app/app.sock"
SITE = Site(base_path=BasePath("/app"), upstream=f"unix:{SOCKET}", keep_prefix=False)
HOST = [("host", "app.test")]
WRITTEN = {
    Product.NGINX: f"proxy_pass http://unix:{SOCKET}:/;",
    Product.APACHE: f'"unix:{SOCKET}|http://localhost/" upgrade=websocket',
    Product.CADDY: f"to unix/{SOCKET}",
    Product.HAPROXY: f"server app unix@{SOCKET}",
    Product.LIGHTTPD: f'"host" => "{SOCKET}"',
    Product.H2O: f'"http://[unix:{SOCKET}]/"',
    Product.VARNISH: f'.path = "{SOCKET}"',
}


@pytest.mark.proxy
@pytest.mark.parametrize("product", WRITTEN)
def test_the_socket_is_written_and_valid(product: Product, tmp_path: Path) -> None:
    _, certificates = make_certificates(tmp_path)
    fix = fix_for(Need.ROUTE, product, SITE)
    assert fix is not None
    frame = frame_of(product, Parts(up="127.0.0.1:8501"))
    plan = frame.plan(18080, {}, None)
    text = plan.config_text
    for where, lines in fix.steps:
        text = paste(text, product, SITE, where, lines)
    if product is not Product.VARNISH:  # which loads it only where the socket is there
        binary = frame.binary()
        validate(product, binary, replace(plan, config_text=text), certificates["good"], tmp_path)

    assert WRITTEN[product] in fix.lines
    assert "8501" not in fix.lines


def test_a_product_that_speaks_with_addresses_alone_has_no_lines() -> None:
    assert fix_for(Need.ROUTE, Product.TRAEFIK, SITE) is None


def test_a_kept_path_is_written_for_nginx() -> None:
    fix = fix_for(Need.ROUTE, Product.NGINX, replace(SITE, keep_prefix=True))

    assert fix is not None
    assert fix.lines == f"proxy_pass http://unix:{SOCKET};"


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        pytest.param(f"unix:{SOCKET}", f"unix:{SOCKET}", id="socket"),
        pytest.param('unix:/run/a";return 200', "127.0.0.1:8501", id="hostile"),
        pytest.param("unix:relative", "127.0.0.1:8501", id="relative"),
    ],
)
def test_check_takes_the_socket_that_the_app_reports(reported: str, expected: str) -> None:
    seen = recorded({"direct": None, "self_check.app": {"upstream": reported}})

    assert site_of(seen).upstream == expected


def test_a_client_does_not_learn_the_path() -> None:
    app = make(Recorder())
    answer = request(
        app, "/app/_stlaunch/check", HOST, query=b"json", client=STRANGER, server=(SOCKET, None)
    )

    assert json.loads(answer.body)["app"]["upstream"] == "unix:/PATH/TO/APP.sock"
    assert SOCKET.encode() not in answer.body
