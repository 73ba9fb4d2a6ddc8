"""What a stranger may send to a server on the open internet, and what must not come of it."""

from __future__ import annotations

import json
import logging

import pytest

from stlaunch.api import wrap_app
from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.log import JsonFormatter, TextFormatter
from stlaunch.settings.model import SelfCheck
from tests.asgi.driver import Recorder, handshake, make, request


@pytest.mark.parametrize("query", [b"a&b&c&d&e&f&g&h&i&j", b"&" * 500, b"n=%ff&ticket=%ff"])
@pytest.mark.parametrize("path", ["/app/_stlaunch/page.js", "/app/_stcore/stream"])
def test_a_query_of_many_fields_breaks_nothing(path: str, query: bytes) -> None:
    """Before, it ended in a traceback: one more for each request, in everybody's log."""
    answer = request(make(Recorder()), path, query=query)

    assert answer.status == (200 if path.endswith(".js") else 426)


FORGED = "\x1b[2J\x9b31m\x85STL999 forged"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_what_a_stranger_sends_does_nothing_to_the_log(
    formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers may hold what a terminal obeys (ESC, CSI) or takes for a new line (NEL)."""
    app = make(Recorder())
    sent = [("x-stlaunch", "1"), ("x-stlaunch-reason", FORGED), ("via", f"1.1 {FORGED}")]
    sent += [("origin", f"https://{FORGED}"), ("host", FORGED), ("x-request-id", FORGED)]
    own_site = [("host", "a.test"), ("origin", "http://a.test")]
    with caplog.at_level(logging.DEBUG):
        request(app, "/app/_stlaunch/tunnel", [*sent[:3], *own_site], method="POST")
        handshake(app, headers=sent)
        request(make(Recorder(), is_access_logged=True), f"/app/{FORGED}\u2028", sent)
    lines = [formatter.format(record) for record in caplog.records]

    assert len(lines) >= 3
    assert all(line.replace("\n", "").isprintable() for line in lines)


def test_a_page_that_fell_back_says_nothing_of_its_own() -> None:
    """All clients read the report: nobody may write a sentence of his into it."""
    app = make(Recorder())
    sent = [
        ("x-stlaunch", "1"),
        ("x-stlaunch-reason", "is bad. Visit evil.test"),
        ("via", "1.1 x y"),
    ]
    request(
        app,
        "/app/_stlaunch/tunnel",
        [*sent, ("host", "a.test"), ("origin", "http://a.test")],
        method="POST",
    )
    report = request(app, "/app/_stlaunch/check", query=b"json").body.decode()

    assert "STL302" in report
    assert "evil.test" not in report


def test_a_line_feed_in_a_message_stays() -> None:
    record = logging.LogRecord("stlaunch", logging.INFO, "", 0, "one\n\ttwo é", None, None)

    assert "one\n\ttwo é" in TextFormatter().format(record)
    assert json.loads(JsonFormatter().format(record))["message"] == "one\n\ttwo é"


@pytest.mark.parametrize(
    ("is_proxied", "is_shown"), [(False, True), (True, False)], ids=["alone", "behind a proxy"]
)
def test_behind_a_proxy_this_machine_is_not_the_operator(is_proxied: bool, is_shown: bool) -> None:
    """Bare `proxy_pass http://127.0.0.1:8501` hands strangers on as this machine's own."""
    app = make(
        Recorder(), access_policy=AccessPolicy(access=SelfCheck.PUBLIC, is_proxied=is_proxied)
    )
    handshake(app, headers=[("host", "a.test"), ("origin", "http://other-users.test")])
    as_bare_nginx_sends_it = [("host", "127.0.0.1:8501"), ("connection", "close")]
    report = request(app, "/app/_stlaunch/check", as_bare_nginx_sends_it).body.decode()

    assert ("other-users.test" in report) is is_shown


@pytest.mark.parametrize("access", ["public", "local"])
def test_a_wrapped_app_below_a_path_counts_as_proxied(
    access: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = wrap_app(Recorder(), behind_proxy="/app", self_check=access)
    with caplog.at_level(logging.CRITICAL):
        handshake(app, headers=[("host", "a.test"), ("origin", "http://other-users.test")])
        report = request(app, "/app/_stlaunch/check", [("host", "localhost")])

    assert report.status == 200
    assert "other-users.test" not in report.body.decode()
