"""Reports of what a page's policy blocked: words from a fixed list, logged once."""

from __future__ import annotations

import json
import logging
import re
from importlib.resources import files

import pytest
from starlette.types import ASGIApp

from stlaunch.gateway.page.blocked import DIRECTIVES, THINGS, read_blocked
from stlaunch.gateway.selfcheck.fixes import describe_header_problems
from tests.asgi.driver import STRANGER, Recorder, make, request

HOST = [("host", "app.test")]
SCRIPT = "/app/_stlaunch/page.js"
JAVASCRIPT = files("stlaunch.gateway.page").joinpath("blocked.js").read_text(encoding="utf-8")


def _report(app: ASGIApp, query: bytes, *headers: tuple[str, str]) -> None:
    answer = request(app, SCRIPT, [*HOST, *headers], query=query, client=STRANGER)

    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-type").startswith("text/javascript")


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "STL810" in record.getMessage()]


def test_page_and_server_know_the_same_words() -> None:
    sent = re.search(r"!/(\^\S+\$)/\.test\(directive\)", JAVASCRIPT)
    assert sent is not None

    assert all(re.search(sent[1], directive) for directive in DIRECTIVES)
    assert set(re.findall(r'(?:return|\?|:) "(\w+)"', JAVASCRIPT)) == set(THINGS)


def test_what_stops_the_page_is_an_error_and_the_rest_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make(Recorder())
    _report(app, b"v=1&i=2&blocked=connect-src&thing=own")
    _report(app, b"v=1&i=2&blocked=font-src&thing=own")
    answer = request(app, "/app/_stlaunch/check", HOST, client=STRANGER)
    findings = json.loads(answer.body)["findings"]

    assert [(one["code"], one["severity"]) for one in findings] == [
        ("STL810", "error"),
        ("STL810", "warning"),
    ]
    assert "connect-src blocks something of the app's own address" in _lines(caplog)[0]
    assert "connect-src 'self'" in findings[0]["fix"]


def test_a_report_has_the_lines_of_the_proxy_that_it_came_through(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _report(make(Recorder()), b"blocked=connect-src&thing=own", ("via", "1.1 Caddy"))

    assert "in the Caddyfile, inside `handle /app/* { }`" in _lines(caplog)[0]


def test_what_another_site_would_give_is_the_apps_own_choice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _report(make(Recorder()), b"blocked=img-src&thing=other")

    assert "If the app needs it, add the site's address to img-src" in _lines(caplog)[0]


@pytest.mark.parametrize(
    "query",
    [
        b"blocked=",
        b"blocked=connect-src",
        b"blocked=connect-src&thing=all+your+sessions",
        b"blocked=report-uri+https://evil.test&thing=own",
        b"blocked=connect-src%0aSTL999+forged&thing=own",
        b"thing=own&" + b"x" * 300 + b"&blocked=connect-src",
        b"blocked=\xff&thing=\x00",
    ],
)
def test_other_words_leave_no_trace(query: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    request(make(Recorder()), SCRIPT, HOST, query=query, client=STRANGER)

    assert read_blocked(query) is None
    assert _lines(caplog) == []


def test_another_sites_page_reports_nothing(caplog: pytest.LogCaptureFixture) -> None:
    site = ("sec-fetch-site", "cross-site")
    _report(make(Recorder()), b"blocked=connect-src&thing=own", site)

    assert _lines(caplog) == []


def test_however_many_reports_are_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """The words are few, so a flood can write little."""
    app = make(Recorder())
    for _ in range(5):
        for directive in sorted(DIRECTIVES):
            for thing in THINGS:
                _report(app, f"blocked={directive}&thing={thing}".encode())

    assert len(_lines(caplog)) <= len(DIRECTIVES) * len(THINGS)


def test_a_report_is_no_page_that_runs(caplog: pytest.LogCaptureFixture) -> None:
    """A report teaches no path, and counts for no replica."""
    caplog.set_level(logging.INFO)
    _report(make(Recorder()), b"i=other&blocked=connect-src&thing=own")

    assert not [record for record in caplog.records if "Reached at" in record.getMessage()]


def test_headers_that_the_browser_got_are_evaluated_as_by_check() -> None:
    query = (
        b"page+content-security-policy=connect-src+%27none%27&component+x-frame-options=DENY"
        b"&page+permissions-policy=camera%3D()&page+cross-origin-embedder-policy=require-corp"
        b"&product=nginx"
    )
    answer = request(make(Recorder()), "/app/_stlaunch/fixes", HOST, query=query)
    body = json.loads(answer.body)

    assert [(one["code"], one["severity"]) for one in body["header_problems"]] == [
        ("STL810", "error"),
        ("STL809", "warning"),
        ("STL811", "warning"),
        ("STL811", "info"),
    ]
    assert "Cross-Origin-Embedder-Policy: require-corp" in body["header_problems"][2]["detail"]
    assert "add_header X-Frame-Options" in body["codes"]["STL809"]["fix"]
    assert "add_header Content-Security-Policy" in body["codes"]["STL810"]["fix"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("page content-security-policy", id="page"),
        pytest.param("component content-security-policy", id="component"),
        pytest.param("page permissions-policy", id="features"),
        pytest.param("component x-frame-options", id="frame-options"),
    ],
)
@pytest.mark.parametrize(
    "value",
    ["default-src,", "sandbox;frame-ancestors x;default-src x,", "default-src x y ", "camera=(),"],
    ids=["empty", "all", "sources", "features"],
)
def test_what_a_browser_reports_costs_little_to_evaluate(query: str, value: str) -> None:
    """A header of many policies gave 1,771 problems, and took 42 ms of everybody's time."""
    found = describe_header_problems({query: value * (60_000 // len(value))})

    assert len(found) <= 32
    assert sum(len(one["detail"]) for one in found) < 10_000
