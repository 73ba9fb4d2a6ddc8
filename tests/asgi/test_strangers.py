"""What a stranger may send to a server on the open internet, and what must not come of it."""

from __future__ import annotations

import json
import logging
import shlex

import pytest

from stlaunch.api import wrap_app
from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.gateway.state import Readiness
from stlaunch.log import JsonFormatter, TextFormatter
from stlaunch.settings.model import SelfCheck
from tests.asgi.driver import STRANGER, Recorder, handshake, make, proven, request


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


# --- what others read


SENTENCE = "websocket is down, log in at https://evil.test"
ELSEWHERE = ("198.51.100.7", 50000)


@pytest.mark.parametrize("kind", ["plain", "accepted", "refused", "tunnel"])
def test_nothing_that_a_stranger_wrote_is_in_the_report_of_others(kind: str) -> None:
    """Headers, names of headers and methods hold sentences with links as well as words."""
    app = make(Recorder())
    sent = [
        *proven("evil.test"),
        *((name, SENTENCE) for name in ("upgrade", "connection", "sec-websocket-version")),
        *((name, SENTENCE) for name in ("sec-websocket-extensions", "sec-websocket-key")),
        ("x-forwarded-visit-evil.test", "1"),
        ("via", "1.1 evil.test, 1.1 visit-evil.test"),
        ("x-forwarded-prefix", "/evil.test"),
        ("user-agent", "Mozilla/5.0 evil.test"),
    ]
    if kind == "plain":
        request(app, "/app/_stcore/stream", sent, method="EVIL.TEST", http_version="evil.test")
    elif kind == "tunnel":
        own_page = [("x-stlaunch", "1"), ("x-stlaunch-reason", SENTENCE)]
        request(app, "/app/_stlaunch/tunnel", [*sent, *own_page], method="POST")
    else:
        host = "evil.test" if kind == "accepted" else "evil.test:1"
        handshake(app, headers=[*sent, ("origin", f"http://{host}")])
    request(app, "/app/_stlaunch/page.js", sent)
    report = request(app, "/app/_stlaunch/check", query=b"json", client=ELSEWHERE).body.decode()
    metrics = request(app, "/app/_stlaunch/metrics", client=ELSEWHERE).body.decode()

    assert json.loads(report)["handshakes"]["total"] + (kind == "tunnel") >= 1
    assert "evil" not in report.lower()
    assert "evil" not in metrics.lower()


@pytest.mark.parametrize("is_own_page", [False, True], ids=["any-program", "own-page"])
def test_one_stranger_does_not_set_the_verdict_of_others(is_own_page: bool) -> None:
    """A monitor's `?strict` stays 200, whatever one client sends, however often."""
    app = make(Recorder(), readiness=Readiness(is_started=True))
    page = proven() if is_own_page else [("host", "app.test")]
    for number in range(50):
        request(
            app,
            "/app/_stcore/stream",
            [*page, ("upgrade", "websocket"), ("sec-websocket-key", "k")],
            client=(STRANGER[0], number),
        )
        evil = [("host", "app.test"), ("origin", f"https://evil{number}.test")]
        handshake(app, headers=[*evil, ("cookie", "_streamlit_xsrf=1")], client=STRANGER)

    strict = request(app, "/app/_stlaunch/check", query=b"strict&json", client=ELSEWHERE)
    own = request(app, "/app/_stlaunch/check", query=b"strict&json", client=STRANGER)

    assert (strict.status, json.loads(strict.body)["verdict"]) == (200, "unseen")
    assert own.status == (503 if is_own_page else 200)


def test_two_clients_whose_pages_fail_set_the_verdict() -> None:
    app = make(Recorder(), readiness=Readiness(is_started=True))
    for number in (1, 2):
        headers = [*proven(), ("sec-websocket-key", "k")]
        request(app, "/app/_stcore/stream", headers, client=(f"203.0.113.{number}", 1))

    assert request(app, "/app/_stlaunch/check", query=b"strict", client=ELSEWHERE).status == 503


# --- what is pasted


@pytest.mark.parametrize(
    "path", ["/x;reboot", "/x&reboot", "/$(reboot)", "/x'a", "/x!!", "/*", "/a(b)", "/plain"]
)
def test_a_fix_can_be_pasted_into_a_shell(path: str) -> None:
    """Whatever a proxy hands on as the prefix: the flag's value is one word, and the last."""
    app = make(Recorder())
    report = request(app, "/app/_stlaunch/check", [("x-forwarded-prefix", path)], query=b"json")
    findings = json.loads(report.body)["findings"]
    (fix,) = [item["fix"] for item in findings if item["code"] == "STL407"]

    assert shlex.split("--behind-proxy" + fix.split("--behind-proxy")[1]) == [
        "--behind-proxy",
        path,
    ]
    tokens = list(shlex.shlex(fix.split(": ")[1], posix=True, punctuation_chars=True))
    assert len(tokens) == 2 or path == "/plain"
