"""Requests that strangers send to a server on the internet, and what they must not cause."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import shlex
import subprocess
import sys

import pytest
import uvicorn.protocols.http.h11_impl

from stlaunch.api import wrap_app
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import origin_rejected
from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.gateway.state import Readiness
from stlaunch.log import JsonFormatter, LibraryLines, TextFormatter
from stlaunch.settings.model import SelfCheck
from tests.asgi.driver import STRANGER, Recorder, handshake, make, proven, request


@pytest.mark.parametrize("query", [b"a&b&c&d&e&f&g&h&i&j", b"&" * 500, b"n=%ff&ticket=%ff"])
@pytest.mark.parametrize("path", ["/app/_stlaunch/page.js", "/app/_stcore/stream"])
def test_a_query_of_many_fields_breaks_nothing(path: str, query: bytes) -> None:
    """It used to end in a traceback: one for each request, in the operator's log."""
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
    """All clients read the report: none may write a sentence into it."""
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


def test_a_transport_that_was_chosen_is_no_finding() -> None:
    """Under `--transport http` no proxy is to blame, and none could change it."""
    app = make(Recorder())
    sent = [("x-stlaunch", "1"), ("x-stlaunch-reason", "is switched off"), ("host", "a.test")]
    request(app, "/app/_stlaunch/tunnel", [*sent, ("origin", "http://a.test")], method="POST")
    report = request(app, "/app/_stlaunch/check", query=b"json").body.decode()

    assert "STL302" not in report


def test_a_line_feed_in_a_message_of_ours_stays() -> None:
    """Fixes have lines; only the first one begins at the margin."""
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
    """Whatever a proxy sends as the prefix: the flag's value is one word, and the last."""
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


# --- what the log says


def _posted(finding_log: FindingLog, origin: str, client: str) -> None:
    finding_log.post(origin_rejected(origin, "app.test", None, ()), client=client)


@pytest.mark.parametrize("clients", [1, 5000], ids=["one-client", "many-clients"])
def test_invented_origins_use_up_no_hint(clients: int, caplog: pytest.LogCaptureFixture) -> None:
    """However many come first, the origin of a page that keeps trying gets into the log."""
    now = 0.0
    finding_log = FindingLog(clock=lambda: now)
    for number in range(5000):
        _posted(finding_log, f"https://evil{number}.test", str(number % clients))
    for _ in range(3):
        now += 10.0
        _posted(finding_log, "https://genuine.test", "203.0.113.9")
    lines = [record.getMessage() for record in caplog.records]

    assert any("genuine.test" in line for line in lines)
    assert len(lines) <= 110
    assert finding_log.counts["STL501"] == 5003
    assert len(finding_log.notices) <= 64


def test_another_client_is_not_held_up(caplog: pytest.LogCaptureFixture) -> None:
    app = make(Recorder())
    for number in range(60):
        evil = [("host", "app.test"), ("origin", f"https://evil{number}.test")]
        handshake(app, headers=evil, client=ELSEWHERE)
    handshake(
        app, headers=[("host", "app.test"), ("origin", "https://genuine.test")], client=STRANGER
    )

    assert "--allow-origin https://genuine.test" in caplog.records[-1].getMessage()


def test_what_found_no_line_is_summed_up_soon(caplog: pytest.LogCaptureFixture) -> None:
    """Also where nothing comes after it: a timer of the server's loop writes it."""

    async def visit() -> None:
        loop = asyncio.get_running_loop()
        finding_log = FindingLog(clock=loop.time)
        timers: list[tuple[object, ...]] = []
        loop.call_later = lambda _s, *call: timers.append(call)  # type: ignore[method-assign,assignment,return-value]
        for number in range(50):
            _posted(finding_log, f"https://evil{number}.test", "one")
        _posted(finding_log, "https://genuine.test", "one")
        ((write, *arguments),) = timers
        assert callable(write)
        write(*arguments)

    asyncio.run(visit())

    assert "genuine.test" in caplog.records[-1].getMessage()
    assert "and 7 more" in caplog.records[-1].getMessage()


def test_a_route_that_is_used_stays_whatever_hosts_are_invented() -> None:
    app = make(Recorder())
    for _ in range(2):
        request(app, "/app/_stlaunch/page.js", [("host", "app.test")])
    for number in range(100):
        request(app, "/app/_stlaunch/page.js", [("host", f"evil{number}.test")])
    report = request(app, "/app/_stlaunch/check", [("host", "app.test")], query=b"json")

    learned = json.loads(report.body)["learned"]
    assert learned[0]["requests"] == 2
    assert len(learned) == 8


LINE_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
FORGED_LINE = "21:40:18 stlaunch WARNING: STL999 forged"
UNPRINTABLE = "\x1b[2J\x7f\x9b\u200e\u202e\u2066\ufeff\U000e0041\udc80"
SPEAKERS = ["stlaunch.x", "streamlit.x", "uvicorn.error", "python_multipart", "websockets", "root"]


@pytest.mark.parametrize("has_traceback", [False, True], ids=["message", "traceback"])
@pytest.mark.parametrize("name", SPEAKERS)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_no_line_can_be_forged(
    formatter: logging.Formatter, name: str, *, has_traceback: bool
) -> None:
    """Whichever logger: a record begins one line at the margin, and all of it is printable."""
    text = UNPRINTABLE + "".join(f"{end}{FORGED_LINE}" for end in LINE_BREAKS)
    failure = None
    if has_traceback:
        try:
            raise ValueError(text)  # noqa: TRY301 - for its traceback
        except ValueError:
            failure = sys.exc_info()
    record = logging.LogRecord(name, logging.WARNING, "", 0, "%s", (text,), failure)
    lines = formatter.format(record).encode().decode().splitlines()

    assert [line for line in lines if not line.startswith((" ", "\t"))] == lines[:1]
    assert all(line.isprintable() for line in lines)
    if name != "stlaunch.x" and not has_traceback:
        assert len(lines) == 1
    if isinstance(formatter, JsonFormatter):
        assert json.loads(lines[0])["message"].encode("utf-16", "surrogatepass")
        assert len(lines) == 1


def test_what_nobody_configured_is_in_our_format_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's line among JSON lines is JSON: python-multipart's own, and any other's."""
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    code = """
import logging, stlaunch.log
stlaunch.log.configure(as_json=True)
for name in ("python_multipart.multipart", "some.library"):
    logging.getLogger(name).warning("a %s", "b\\nc")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    lines = capfd.readouterr().err.splitlines()

    assert [json.loads(line)["message"] for line in lines] == ["a b\nc"] * 2


def test_no_number_of_malformed_requests_fills_the_log() -> None:
    """A library has a line for each of them: uvicorn's own, python-multipart's about uploads."""
    now = [0.0]
    lines = LibraryLines(clock=lambda: now[0])

    def said(name: str, level: int) -> list[str]:
        records = [logging.LogRecord(name, level, "", 0, "%s", ("b",), None) for _ in range(1000)]
        return [record.getMessage() for record in records if lines.filter(record)]

    for _ in range(2):
        for name in ("uvicorn.error", "python_multipart.multipart"):
            assert said(name, logging.WARNING)[-2:] == [
                "b",
                f"b (no more warnings of {name.partition('.')[0]} in this minute)",
            ]
        now[0] += 60
    assert len(said("uvicorn.error", logging.ERROR)) == len(said("an.app", logging.WARNING)) == 1000


@pytest.mark.parametrize(("failure", "is_said"), [(asyncio.CancelledError, 0), (ValueError, 1)])
def test_a_stop_leaves_no_traceback_of_who_still_sends(
    failure: type[BaseException], is_said: int
) -> None:
    """A stopping server cuts them off, says how many, and then logs each as an app failure."""
    info = (failure, failure(), None)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception", (), info)

    assert LibraryLines().filter(record) == bool(is_said)


def test_an_answer_that_a_client_leaves_unread_is_no_error() -> None:
    """A newer poll ends an older one's answer; uvicorn had a line for each, in its own words."""
    message = "ASGI callable returned without completing response."
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, (), None)

    assert message in inspect.getsource(uvicorn.protocols.http.h11_impl)
    assert not LibraryLines().filter(record)


@pytest.mark.parametrize("name", ["check", "echo"])
@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_an_answer_can_be_printed(name: str, accept: str) -> None:
    """DEL, C1 and what turns the direction come back escaped, and JSON stays JSON."""
    bad = "\x7f\x80\x9b31m\x85x"
    headers = [("host", "a.test"), ("accept", accept), ("user-agent", bad), ("via", bad)]
    headers += [("x-forwarded-host", bad), ("x-forwarded-proto", bad), (f"x-{bad}", bad)]
    path = "/app/_stlaunch/" + name
    answer = request(make(Recorder()), path, headers, client=STRANGER).body.decode()

    assert answer.replace("\n", "").isprintable()
    assert "\\u009b" in answer or accept == "text/plain"
    if answer.startswith("{"):
        assert {"name": "user-agent", "value": bad} in json.loads(answer)["request"]["headers"]


def test_a_missing_origin_is_said_to_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    """A browser that sends cookies and no Origin: a proxy dropped it."""
    handshake(make(Recorder()), headers=[("host", "app.test"), ("cookie", "a=b")])

    assert "A WebSocket without Origin was refused" in caplog.text
    assert "let the proxy pass the header on" in caplog.text
    assert "--allow-origin" not in caplog.text
