"""The self-check's endpoints: who sees what, in which form, and what is never shown."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from stlaunch.gateway.origin_policy import OriginPolicy
from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.gateway.state import Readiness
from stlaunch.settings.model import SelfCheck
from stlaunch.urls.origin import OriginCheck
from tests.asgi.driver import LOOPBACK, STRANGER, Recorder, handshake, make, proven, request

HOST = [("host", "app.test")]
STREAM = "/app/_stcore/stream"
TOKEN = "correct-horse-battery-staple"
SCHEMA = json.loads(
    (files("stlaunch.gateway.selfcheck") / "schema.json").read_text(encoding="utf-8")
)
DIAGNOSTIC = ["", "check", "metrics", "fixes", "echo", "ticket", "arrived", "drip", "diagnosis.js"]
OWN_PAGE = [*HOST, ("x-stlaunch", "1")]


def _with_access(access: SelfCheck, token: str | None = None) -> ASGIApp:
    return make(Recorder(), access_policy=AccessPolicy(access=access, token=token))


def _client(app: ASGIApp, host: str = "app.test", client: tuple[str, int] = LOOPBACK) -> TestClient:
    return TestClient(app, base_url=f"http://{host}", client=client, follow_redirects=False)


def _report(app: ASGIApp, headers: Any = HOST, client: tuple[str, int] = STRANGER) -> Any:
    answer = request(app, "/app/_stlaunch/check", headers, client=client)
    return json.loads(answer.body)


# --- forms of the report


@pytest.mark.parametrize("verdict", ["unseen", "stripped", "rejected", "intact", "degraded"])
def test_the_report_fits_its_schema(verdict: str) -> None:
    """Whatever came before; `?strict` answers a broken verdict with 503."""
    from jsonschema import Draft202012Validator  # seconds to import: not while tests are collected

    app = make(Recorder(), readiness=Readiness(is_started=True))
    if verdict in {"intact", "degraded"}:
        handshake(app, headers=[*HOST, ("origin", "http://app.test")], protocols=["streamlit"])
    if verdict in {"stripped", "degraded"}:
        request(app, STREAM, [*proven(), ("sec-websocket-key", "k")], client=STRANGER)
    if verdict == "rejected":
        app = make(
            Recorder(),
            readiness=Readiness(is_started=True),
            policy=OriginPolicy(check=OriginCheck.STRICT),
        )
        own = [*HOST, ("origin", "https://portal.test"), ("cookie", "_streamlit_xsrf=1")]
        handshake(app, headers=own, client=STRANGER)
    report = _report(app)
    strict = request(app, "/app/_stlaunch/check", HOST, query=b"strict", client=STRANGER)

    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(report)
    assert report["verdict"] == verdict
    assert strict.status == (503 if verdict in {"stripped", "rejected"} else 200)


def test_strict_is_503_before_the_app_is_ready() -> None:
    app = make(Recorder())

    assert request(app, "/app/_stlaunch/check", HOST, query=b"strict").status == 503
    assert request(app, "/app/_stlaunch/check", HOST).status == 200


@pytest.mark.parametrize(
    ("accept", "content_type", "shown"),
    [
        ("*/*", "application/json", '"schema":"stlaunch.selfcheck/1"'),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html", "diagnosis.js"),
        ("text/plain", "text/plain", "stlaunch self-check"),
        ("text/plain;q=0.5, application/json", "application/json", "findings"),
        ("text/plain;q=x, nonsense;;", "application/json", "findings"),
    ],
    ids=["any", "browser", "terminal", "quality", "malformed"],
)
def test_accept_chooses_the_form(accept: str, content_type: str, shown: str) -> None:
    answer = request(make(Recorder()), "/app/_stlaunch/check", [*HOST, ("accept", accept)])

    assert (answer.header("content-type") or "").startswith(content_type)
    assert answer.header("cache-control").startswith("no-store")
    assert shown in answer.body.decode()


def test_a_browser_can_have_the_json() -> None:
    accept = ("accept", "text/html")
    answer = request(make(Recorder()), "/app/_stlaunch/check", [*HOST, accept], query=b"json")

    assert answer.header("content-type") == "application/json"


def test_the_text_is_for_people() -> None:
    """Verdict in words, each forwarding header with the reason, findings with what to type."""
    app = make(Recorder())
    request(app, STREAM, [*proven(), ("sec-websocket-key", "k")], client=STRANGER)
    headers = [*HOST, ("accept", "text/plain"), ("x-forwarded-proto", "https\x1b[2J")]
    text = request(app, "/app/_stlaunch/check", headers, client=STRANGER).body.decode()

    assert "verdict     stripped: WebSocket handshakes arrive without their upgrade" in text
    assert "not believed: came from '203.0.113.9', not a trusted proxy" in text
    assert "STL301" in text
    assert 'proxy_set_header Connection "upgrade";' in text
    assert "--trusted-proxies 203.0.113.9" in text
    assert "\x1b" not in text


def test_metrics_are_openmetrics() -> None:
    """The reference parser reads them: handshakes, sessions, requests, rejections."""
    app = make(Recorder())
    handshake(app, headers=[*HOST, ("origin", "http://app.test")], protocols=["streamlit"])
    handshake(app, headers=[*HOST, ("origin", "http://evil.test")], client=STRANGER)
    request(app, "/app/", HOST)
    request(app, "/", HOST)

    answer = request(app, "/app/_stlaunch/metrics", HOST)
    families = text_string_to_metric_families(answer.body.decode())
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }

    assert (answer.header("content-type") or "").startswith("application/openmetrics-text")
    assert samples["stlaunch_handshakes_total", "intact"] == 1
    assert samples["stlaunch_sessions_total", "websocket"] == 1
    assert samples["stlaunch_rejections_total", "foreign_origin"] == 1
    assert samples["stlaunch_requests_total", "stripped"] == 1
    assert samples["stlaunch_requests_total", "kept"] == 2
    assert samples["stlaunch_findings_total", "STL501"] == 1


# --- who sees what


@pytest.mark.parametrize("name", DIAGNOSTIC)
def test_off_removes_each_diagnostic_endpoint(name: str) -> None:
    off = _with_access(SelfCheck.OFF)

    assert request(off, f"/app/_stlaunch/{name}", OWN_PAGE).status == 404
    assert request(off, "/app/_stlaunch/health", HOST).status == 200
    assert request(off, "/app/_stlaunch/page.js", HOST).status == 200


def test_off_removes_the_echo_socket() -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        _client(_with_access(SelfCheck.OFF)).websocket_connect(
            "/app/_stlaunch/ws", headers={"x-stlaunch": "1"}
        ),
    ):
        pass


@pytest.mark.parametrize(
    "name", [name for name in DIAGNOSTIC if name not in {"", "diagnosis.js", "drip"}]
)
def test_token_is_asked_for(name: str) -> None:
    """Bearer or our own header; a wrong one is none; health stays open."""
    app = _with_access(SelfCheck.TOKEN, TOKEN)
    path = f"/app/_stlaunch/{name}"

    statuses = [
        request(app, path, [*OWN_PAGE, *extra]).status
        for extra in (
            [],
            [("x-stlaunch-token", TOKEN[:-1])],
            [("x-stlaunch-token", "ü" * 9)],
            [("authorization", f"Basic {TOKEN}")],
            [("x-stlaunch-token", TOKEN)],
            [("authorization", f"Bearer {TOKEN}")],
        )
    ]

    assert statuses == [401, 401, 401, 401, 200, 200]
    assert request(app, "/app/_stlaunch/ready", HOST).status in {200, 503}


def test_the_page_that_asks_for_the_token_holds_no_facts() -> None:
    answer = request(_with_access(SelfCheck.TOKEN, TOKEN), "/app/_stlaunch/", HOST)

    assert answer.status == 200
    assert answer.body == request(_with_access(SelfCheck.PUBLIC), "/app/_stlaunch/", HOST).body


@pytest.mark.parametrize(
    ("headers", "client", "status"),
    [
        ([("host", "127.0.0.1:8501")], LOOPBACK, 200),
        ([("host", "localhost:8501")], ("::ffff:127.0.0.1", 1), 200),
        ([("host", "app.test")], LOOPBACK, 403),
        ([("host", "localhost"), ("x-forwarded-for", "127.0.0.1")], LOOPBACK, 403),
        ([("host", "localhost"), ("via", "1.1 Caddy")], LOOPBACK, 403),
        ([("host", "localhost")], STRANGER, 403),
        ([("host", "localhost")], None, 403),
    ],
    ids=["direct", "mapped", "kept-host", "forwarded", "via", "stranger", "unix"],
)
def test_local_is_this_machine_without_a_proxy(
    headers: Any, client: tuple[str, int] | None, status: int
) -> None:
    app = _with_access(SelfCheck.LOCAL)

    assert request(app, "/app/_stlaunch/check", headers, client=client).status == status


def test_others_are_named_to_the_operator_alone() -> None:
    """Origins, hosts and addresses of others are in the log, and shown to the app's operator."""
    app = _with_access(SelfCheck.PUBLIC, TOKEN)
    evil = [
        ("host", "inner.test"),
        ("origin", "https://portal.test"),
        ("x-forwarded-for", "8.8.4.4"),
    ]
    handshake(app, headers=evil, client=("198.51.100.7", 9))
    request(app, "/app/_stlaunch/page.js", [("host", "portal.test")])

    public = json.dumps(_report(app))
    operator = _report(app, [*HOST, ("x-stlaunch-token", TOKEN)])
    local = _report(app, [("host", "127.0.0.1")], LOOPBACK)
    fixes = {item["code"]: item["fix"] for item in operator["findings"]}

    for secret in ("portal.test", "inner.test", "198.51.100.7", "8.8.4.4"):
        assert secret not in public
    assert '"code": "STL501"' in public
    assert "--allow-origin https://portal.test" in fixes["STL501"]
    assert fixes["STL401"].endswith("--trusted-proxies 198.51.100.7")
    assert "portal.test" in json.dumps(local)


# --- what a request shows of itself


def test_echo_masks_what_could_identify_somebody() -> None:
    """Names of all headers, values of harmless ones; the query is left out."""
    secrets = ["cookie-secret", "bearer-secret", "user@example.com", "query-secret", "api-secret"]
    headers = [
        *HOST,
        ("cookie", f"session={secrets[0]}; stlaunch_probe=1"),
        ("authorization", f"Bearer {secrets[1]}"),
        ("x-forwarded-user", secrets[2]),
        ("referer", f"http://user:pw@app.test/app/?q={secrets[3]}"),
        ("x-api-key", secrets[4]),
        ("x-forwarded-proto", "https"),
    ]
    answer = request(make(Recorder()), "/app/_stlaunch/echo", headers, query=b"q=query-secret")
    body = json.loads(answer.body)["request"]

    assert not [secret for secret in [*secrets, "user:pw"] if secret in answer.body.decode()]
    assert body["cookies"] == ["session", "stlaunch_probe"]
    assert {"name": "x-forwarded-proto", "value": "https"} in body["headers"]
    assert {"cookie", "authorization", "x-api-key"} <= {item["name"] for item in body["headers"]}
    assert answer.header("cache-control") == "no-store, no-transform"


def test_nothing_is_reflected_as_html() -> None:
    """Input comes back as JSON with nosniff alone; the page's policy forbids inline scripts."""
    attack = "<script>alert(1)</script>"
    app = make(Recorder())
    for name in ("check", "echo", "fixes", "arrived", "metrics"):
        headers = [*OWN_PAGE, ("x-forwarded-host", attack), ("user-agent", attack)]
        query = f"product={attack}&server={attack}&ticket={attack}".encode()
        answer = request(app, f"/app/_stlaunch/{name}", headers, query=query)

        assert not (answer.header("content-type") or "").startswith("text/html")
        assert answer.header("x-content-type-options") == "nosniff"
    page = request(app, "/app/_stlaunch/", [*HOST, ("x-forwarded-host", attack)])

    assert attack not in page.body.decode()
    assert "script-src 'self'" in (page.header("content-security-policy") or "")
    assert "default-src 'none'" in (page.header("content-security-policy") or "")


def test_the_page_without_its_slash_is_redirected_relatively() -> None:
    answer = request(make(Recorder()), "/app/_stlaunch", [("host", "evil.test")])

    assert (answer.status, answer.header("location")) == (307, "_stlaunch/")


@pytest.mark.parametrize("name", ["ticket", "arrived", "sink"])
def test_other_sites_cannot_ask(name: str) -> None:
    app = make(Recorder())
    cross = [*OWN_PAGE, ("sec-fetch-site", "cross-site")]

    assert request(app, f"/app/_stlaunch/{name}", HOST, method="GET").status == 403
    assert request(app, f"/app/_stlaunch/{name}", cross).status == 403
    assert request(app, f"/app/_stlaunch/{name}", cross, method="OPTIONS").status in {403, 405}


# --- probes


def _ticket(client: TestClient) -> str:
    answer = client.get("/app/_stlaunch/ticket", headers={"x-stlaunch": "1"})
    return str(answer.json()["ticket"])


def test_echo_socket_says_what_arrived_and_echoes() -> None:
    client = _client(make(Recorder()))
    path = f"/app/_stlaunch/ws?ticket={_ticket(client)}&n=1"
    with client.websocket_connect(path, ["stlaunch.probe"]) as socket:
        hello = socket.receive_json()
        socket.send_bytes(b"\x00\xff" * 40_000)
        back = socket.receive_bytes()
        socket.send_text("<b>ä</b>")
        text = socket.receive_text()

    assert socket.accepted_subprotocol == "stlaunch.probe"
    assert hello["handshake"]["verdict"] == "intact"
    assert (back, text) == (b"\x00\xff" * 40_000, "<b>ä</b>")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?ticket=1.2.3&n=1", {}),
        ("?ticket=%00&n=x", {"origin": "http://app.test"}),
        ("?ticket=" + "a" * 600, {}),
    ],
    ids=["none", "forged", "malformed", "long"],
)
def test_echo_socket_needs_a_ticket(query: str, headers: dict[str, str]) -> None:
    """This keeps pages of other sites out; a program sends a header that no page can."""
    client = _client(make(Recorder()))
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"/app/_stlaunch/ws{query}", headers=headers),
    ):
        pass
    with client.websocket_connect("/app/_stlaunch/ws", headers={"x-stlaunch": "1"}) as socket:
        assert socket.receive_json()["schema"] == "stlaunch.hello/1"


def test_a_stripped_probe_can_be_asked_about_with_its_ticket_alone() -> None:
    """Sent and arrived: the page learns what of its handshake reached the app."""
    client = _client(make(Recorder()))
    own, other = _ticket(client), _ticket(client)
    stripped = client.get(
        f"/app/_stlaunch/ws?ticket={own}&n=7",
        headers={"sec-websocket-key": "secret", "sec-websocket-version": "13"},
    )
    ask = {"x-stlaunch": "1"}
    mine = client.get(f"/app/_stlaunch/arrived?ticket={own}&n=7", headers=ask).json()
    none = client.get(f"/app/_stlaunch/arrived?ticket={own}&n=8", headers=ask).json()
    theirs = client.get(f"/app/_stlaunch/arrived?ticket={other}&n=7", headers=ask).json()

    assert stripped.status_code == 426
    assert mine["handshake"]["missing"] == ["Upgrade: websocket", "Connection: Upgrade"]
    assert "secret" not in json.dumps(mine)
    assert (none["handshake"], theirs["handshake"]) == (None, None)


def test_sink_counts_and_drip_drips() -> None:
    client = _client(make(Recorder()))
    body = b"x" * 200_000
    sunk = client.put("/app/_stlaunch/sink", content=body, headers={"x-stlaunch": "1"})
    drops = client.get("/app/_stlaunch/drip?chunks=3&pause_ms=1")
    many = client.get("/app/_stlaunch/drip?chunks=999&pause_ms=0")

    assert sunk.json()["received"] == len(body)
    assert drops.text == "0\n1\n2\n"
    assert len(many.text.split()) == 20


def test_fixes_are_for_the_proxy_that_was_seen() -> None:
    app = make(Recorder())
    ask = lambda query: json.loads(  # noqa: E731
        request(app, "/app/_stlaunch/fixes", HOST, query=query).body
    )

    assert "proxy_set_header Upgrade" in ask(b"server=nginx%2F1.31")["codes"]["STL301"]["fix"]
    assert "location /app/" in ask(b"product=nginx")["codes"]["STL301"]["fix"]
    assert ask(b"product=none")["product"] is None
    assert ask(b"")["product"] is None
