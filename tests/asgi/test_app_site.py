"""Fixes are filled in with this app's own address, path and limits, for the proxy it is behind."""

from __future__ import annotations

import json
import logging
import re

import pytest

from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.recognition import answer_headers
from stlaunch.proxies.site import Site
from stlaunch.settings.model import SelfCheck
from stlaunch.urls.base_path import BasePath
from tests.asgi.driver import SERVER, STRANGER, Recorder, make, request

HOST = [("host", "app.test")]
STRIPPED = [*HOST, ("sec-websocket-key", "key")]
ENVOY = [("x-envoy-external-address", "192.0.2.1")]
APACHE = [("via", "1.1 front (Apache/2.4)")]
TRAEFIK = [(name, "1") for name in ("x-forwarded-server", "x-forwarded-port", "x-real-ip")]


def logged(
    headers: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
    *,
    path: str = "/app/_stcore/stream",
    server: tuple[str, int | None] = SERVER,
) -> str:
    caplog.set_level(logging.INFO, "stlaunch")
    request(make(Recorder()), path, headers, server=server)
    (line,) = [record.getMessage() for record in caplog.records]
    return line


@pytest.mark.parametrize(
    ("server", "upstream"),
    [
        (("127.0.0.1", 28501), "127.0.0.1:28501"),
        (("172.17.0.2", 9000), "172.17.0.2:9000"),
        (("::1", 28501), "[::1]:28501"),
        (("::ffff:10.0.0.7", 28501), "10.0.0.7:28501"),
        (("/run/app.sock", None), "unix:/run/app.sock"),
    ],
    ids=["port", "container", "ipv6", "mapped", "unix"],
)
def test_the_log_names_where_the_app_really_is(
    server: tuple[str, int | None], upstream: str, caplog: pytest.LogCaptureFixture
) -> None:
    line = logged([*STRIPPED, *APACHE], caplog, server=server)

    is_socket = upstream.startswith("unix:")
    place = f"{upstream}|http://localhost" if is_socket else f"http://{upstream}"
    assert f'"{place}/app/" upgrade=websocket' in line


@pytest.mark.parametrize(
    ("server", "end"),
    [
        (("127.0.0.1", 28501), "end the app's address with a slash: http://127.0.0.1:28501/app/"),
        (("/run/app.sock", None), "end the app's address with a slash"),
    ],
    ids=["port", "unix"],
)
def test_a_missing_slash_is_shown_at_the_apps_own_address(
    server: tuple[str, int | None], end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On a Unix socket there is no port to name."""
    line = logged(HOST, caplog, path="/app_stcore/health", server=server)

    assert "STL215" in line
    assert line.endswith(end)


def test_the_log_speaks_of_the_path_as_the_proxy_leaves_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Behind a proxy that strips the path, no line hands it on."""
    line = logged([*STRIPPED, *APACHE], caplog, path="/_stcore/stream")
    site = Site(base_path=BasePath("/app"), keep_prefix=False, is_https=False)
    fix = fix_for(Need.UPGRADE, Product.APACHE, site)

    assert fix is not None
    assert fix.lines.splitlines()[0] in line
    assert "8501/app/" not in line


def test_a_recognised_proxy_is_named_alone(caplog: pytest.LogCaptureFixture) -> None:
    line = logged([*STRIPPED, *ENVOY], caplog)

    assert "upgrade_configs" in line
    assert "proxy_set_header" not in line
    assert "ProxyPass" not in line


def test_a_proxy_that_cannot_be_to_blame_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    """Traefik passes every upgrade on: another proxy lost this one, and one line says so."""
    line = logged([*STRIPPED, *TRAEFIK], caplog)

    assert line.endswith("stlaunch explain STL301")
    assert "\n" not in line
    assert not any(word in line for word in ("proxy_set_header", "ProxyPass", "upgrade_configs"))


def test_limits_are_those_of_the_app() -> None:
    """One upload limit: Streamlit's megabyte has 2^20 bytes."""
    app = make(Recorder(), max_upload_bytes=lambda: 200 * 1024 * 1024, ping_interval_s=lambda: 45)
    answer = request(app, "/app/_stlaunch/fixes", HOST, query=b"product=nginx")
    fixes = {code: known["fix"] for code, known in json.loads(answer.body)["codes"].items()}

    assert "client_max_body_size 201m;" in fixes["STL602"]
    assert "proxy_read_timeout 180s;" in fixes["STL604"]


def test_the_report_describes_the_app_for_the_check() -> None:
    app = make(Recorder(), max_upload_bytes=lambda: 50 * 1024 * 1024)
    answer = request(
        app, "/app/_stlaunch/check", [*HOST, ("accept", "application/json")],
        server=("10.0.0.7", 28501),
    )  # fmt: skip

    assert json.loads(answer.body)["app"] == {
        "upstream": "127.0.0.1:28501",
        "max_upload_mb": 50,
        "ping_interval_s": 30,
    }


def test_a_client_learns_the_port_and_not_the_machine() -> None:
    app = make(Recorder(), access_policy=AccessPolicy(access=SelfCheck.PUBLIC))
    answers = [
        request(app, path, headers, client=STRANGER, query=query, server=("10.0.0.7", 28501))
        for path, headers, query in (
            ("/app/_stcore/stream", STRIPPED, b""),
            ("/app/_stlaunch/fixes", HOST, b"product=apache"),
            ("/app/_stlaunch/check", [*HOST, ("accept", "application/json")], b""),
        )
    ]

    assert [b"10.0.0.7" in answer.body for answer in answers] == [False] * 3
    assert [b"28501" in answer.body for answer in answers] == [True] * 3


@pytest.mark.parametrize("name", answer_headers())
def test_the_page_reports_every_header_that_reveals_a_proxy(name: str) -> None:
    """What the page reads from answers is what the one table recognises products by."""
    page = request(make(Recorder()), "/app/_stlaunch/", [*HOST, ("accept", "text/html")])
    signs = re.search(r'<body data-signs="([^"]+)"', page.body.decode())
    value = {"server": "envoy", "via": "1.1 front (Apache/2.4)"}.get(name, "3")
    answer = request(
        make(Recorder()), "/app/_stlaunch/fixes", HOST, query=f"{name}={value}".encode()
    )

    assert signs
    assert name in signs[1].split()
    assert json.loads(answer.body)["product"]


def test_the_page_calls_products_as_the_check_does() -> None:
    answer = request(make(Recorder()), "/app/_stlaunch/fixes", HOST)

    assert json.loads(answer.body)["products"] == {str(one): recipe(one).title for one in Product}
