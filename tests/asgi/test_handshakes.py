"""Handshakes: 426 where the upgrade is lost, 403 for strangers, otherwise untouched."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.gateway.origin_policy import (
    HOST_COOKIE,
    PLAIN_COOKIE,
    OriginPolicy,
    OriginProof,
    new_cookie_id,
)
from stlaunch.settings.model import Transport
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin, OriginCheck
from tests.asgi.driver import SECRET, STRANGER, Recorder, handshake, make, request

STREAM = "/app/_stcore/stream"
HOST = [("host", "app.test")]
SAME = [*HOST, ("origin", "http://app.test")]
EVIL = [*HOST, ("origin", "https://evil.test")]
PROOF = OriginProof(SECRET)


def _proven(name: str = HOST_COOKIE) -> tuple[list[tuple[str, str]], str]:
    cookie_id = new_cookie_id()
    return [("cookie", f"{name}={cookie_id}")], f"stlaunch.{PROOF.token(name, cookie_id)}"


@pytest.mark.parametrize("path", [STREAM, "/_stcore/stream"], ids=["kept", "stripped"])
def test_a_stripped_upgrade_is_answered_with_the_reason(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """426 names what is missing and how to fix it; the log says it once, with a pointer to more."""
    app = Recorder()
    wrapped = make(app)
    caplog.set_level(logging.INFO, "stlaunch")

    for _ in range(3):
        answer = request(wrapped, path, [*HOST, ("sec-websocket-key", "secret-key")])
    lines = [record.getMessage() for record in caplog.records]
    body = json.loads(answer.body)

    assert answer.status == 426
    assert answer.header("upgrade") == "websocket"
    assert body["verdict"] == "upgrade_stripped"
    assert body["missing"] == ["Upgrade: websocket", "Connection: Upgrade"]
    assert len(lines) == 1
    assert lines[0].endswith("stlaunch explain STL301")
    assert 'proxy_set_header Connection "upgrade"' in body["finding"]["fix"]
    assert "secret-key" not in json.dumps(body) + lines[0]
    assert not app.scopes


def test_an_origin_that_nobody_can_have_is_refused_and_not_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`stlaunch check` sends one; its own probe must not look like trouble."""
    app = Recorder()
    wrapped = make(app)
    caplog.set_level(logging.INFO, "stlaunch")

    status, _ = handshake(
        wrapped,
        headers=[*HOST, ("origin", "https://stlaunch-check.invalid")],
        protocols=["streamlit"],
    )
    report = json.loads(request(wrapped, "/app/_stlaunch/check", HOST).body)

    assert status == 403
    assert not app.scopes
    assert report["verdict"] == "unseen"
    assert not report["findings"]
    assert not caplog.records


def test_a_lost_connection_header_has_its_own_verdict() -> None:
    """Upgrade arrived, Connection did not."""
    headers = [*HOST, ("sec-websocket-key", "k"), ("upgrade", "websocket")]

    body = json.loads(request(make(Recorder()), STREAM, headers).body)

    assert (body["verdict"], body["missing"]) == ("connection_stripped", ["Connection: Upgrade"])


def test_an_accepted_handshake_agrees_with_streamlits_own_check() -> None:
    """Host is Origin's, so that Streamlit never looks its address up; our token is gone."""
    app = Recorder()
    cookie, token = _proven()
    headers = [("host", "127.0.0.1:8501"), ("origin", "https://app.test:8443"), *cookie]
    extra = [("sec-websocket-protocol", token)]

    status, _ = handshake(
        make(app), headers=[*headers, *extra], protocols=["streamlit", "xsrf", token]
    )
    arrived = dict(app.last["headers"])

    assert status == 101
    assert arrived[b"host"] == b"app.test:8443"
    assert [name for name, _ in app.last["headers"]].count(b"host") == 1
    assert b"stlaunch." not in repr(app.last["headers"]).encode()
    assert app.last["subprotocols"] == ["streamlit", "xsrf"]


@pytest.mark.parametrize(
    "options",
    [{}, {"is_embedded": True}, {"max_sessions": 5}, {"transport": Transport.WEBSOCKET}],
    ids=["default", "embedded", "limited", "no tunnel"],
)
def test_an_accepted_socket_is_not_wrapped(options: dict[str, Any]) -> None:
    """An established connection costs what it costs bare: the callables are the server's own."""
    app = Recorder()

    _, callables = handshake(make(app, **options), headers=SAME)

    assert app.callables[-1][0] is callables[0]
    assert app.callables[-1][1] is callables[1]


@pytest.mark.parametrize(
    ("headers", "protocols"),
    [
        (EVIL, []),
        ([*HOST, ("origin", "null")], []),
        ([*EVIL, ("x-forwarded-host", "evil.test")], []),
        ([*EVIL, ("forwarded", "host=evil.test;proto=https;for=1.2.3.4")], []),
        ([*EVIL, ("cookie", f"{PLAIN_COOKIE}={'a' * 22}")], ["streamlit", "stlaunch.guess"]),
        ([*EVIL, *_proven()[0]], ["streamlit", _proven()[1]]),
        ([*EVIL, *_proven(PLAIN_COOKIE)[0]], [_proven(PLAIN_COOKIE)[1]]),
    ],
    ids=["foreign", "null", "forged-host", "forged-forwarded", "guess", "replayed", "plain-https"],
)
def test_a_stranger_is_refused(
    headers: list[tuple[str, str]], protocols: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """403, one log line with the flag that would allow it, and nothing reaches the app."""
    app = Recorder()
    wrapped = make(app)
    caplog.set_level(logging.INFO, "stlaunch")

    statuses = [
        handshake(wrapped, headers=headers, protocols=protocols, client=STRANGER)[0]
        for _ in range(2)
    ]
    lines = [r.getMessage() for r in caplog.records if "STL501" in r.getMessage()]

    assert statuses == [403, 403]
    assert not app.scopes
    assert len(lines) == 1
    assert "--allow-origin" in lines[0]


def test_a_plain_cookie_that_was_planted_does_not_count_over_https() -> None:
    """A sibling domain can plant the plain cookie, whose token it knows; https wants the other."""
    cookie, token = _proven(PLAIN_COOKIE)
    origin = ("origin", "https://evil.app.test")

    status, _ = handshake(make(Recorder()), headers=[*HOST, origin, *cookie], protocols=[token])

    assert status == 403


@pytest.mark.parametrize("policy", [
    OriginPolicy(public_origins=(Origin("https", "app.test", 443),)),
], ids=["public-url"])  # fmt: skip
def test_a_public_url_switches_the_proof_off(policy: OriginPolicy) -> None:
    """In that case Origin must match it."""
    cookie, token = _proven()
    wrapped = make(Recorder(), policy=policy)

    foreign, _ = handshake(wrapped, headers=[*EVIL, *cookie], protocols=[token])
    own, _ = handshake(wrapped, headers=[*HOST, ("origin", "https://app.test")])

    assert (foreign, own) == (403, 101)


@pytest.mark.parametrize(
    ("headers", "is_proven", "status"),
    [
        ([], True, 101),
        ([], False, 403),
        ([("x-forwarded-for", "203.0.113.9")], True, 403),
        ([("via", "1.1 x")], True, 403),
    ],
    ids=["own-page", "page-of-the-visitors-machine", "forwarded", "through-a-proxy"],
)
def test_a_loopback_page_is_let_in_with_its_token_alone(
    headers: list[tuple[str, str]], status: int, *, is_proven: bool
) -> None:
    """A proxy that rewrites Host to localhost makes the visitor's localhost look like the app's."""
    policy = OriginPolicy(public_origins=(Origin("https", "app.test", 443),))
    cookie, token = _proven()
    shown = [("host", "localhost:8501"), ("origin", "http://localhost:8501"), *headers]

    found, _ = handshake(
        make(Recorder(), policy=policy),
        headers=[*shown, *(cookie if is_proven else [])],
        protocols=[token] if is_proven else [],
    )

    assert found == status


@pytest.mark.parametrize("name", ["X_User", "x-user", "X-USER", "x_USER"])
@pytest.mark.parametrize("client", [STRANGER, ("127.0.0.1", 1)], ids=["stranger", "proxy"])
def test_an_identity_has_one_spelling(name: str, client: tuple[str, int]) -> None:
    """Neither a stranger nor a header that a proxy overlooks can name a user."""
    app = Recorder()
    wrapped = make(app, identity_headers=lambda: frozenset({b"x-user"}))

    request(wrapped, "/app/media/x", [*SAME, (name.lower(), "admin")], client=client)

    is_kept = client != STRANGER and name.lower() == "x-user"
    assert (b"admin" in dict(app.last["headers"]).values()) is is_kept


def test_sockets_of_the_users_own_routes_are_left_alone() -> None:
    """The rule covers Streamlit's stream; a FastAPI app decides about its own sockets."""
    app = Recorder()
    wrapped = make(app, uses_root_path=True, mounts=lambda: (BasePath("/dashboard"),))

    status, _ = handshake(wrapped, "/app/chat", EVIL)

    assert status == 101
    assert dict(app.last["headers"])[b"host"] == b"app.test"


def test_the_agent_api_keeps_its_own_origin_rule() -> None:
    """Host and Origin reach `_stcore/agent` as they came."""
    app = Recorder()

    request(make(app), "/app/_stcore/agent/interact", EVIL, method="POST")
    arrived = dict(app.last["headers"])

    assert (arrived[b"host"], arrived[b"origin"]) == (b"app.test", b"https://evil.test")


@pytest.mark.parametrize(
    "sent",
    ["x-remote-user", "x_remote_user", "x-remote_user", "x_remote-user", "x.remote.user"],
)
def test_identity_headers_come_from_trusted_peers_only(sent: str) -> None:
    """A stranger names no user, however the header is spelled (`server.trustedUserHeaders`)."""
    app = Recorder()
    wrapped = make(app, identity_headers=lambda: frozenset({b"x-remote-user"}))
    headers = [*SAME, (sent, "admin")]

    for client in (("127.0.0.1", 1), STRANGER):
        handshake(wrapped, headers=headers, client=client)
        request(wrapped, "/app/media/x", headers, client=client)

    is_kept = [b"admin" in dict(scope["headers"]).values() for scope in app.scopes]
    assert is_kept == [sent == "x-remote-user"] * 2 + [False] * 2


FORWARDED: list[tuple[str, list[tuple[str, str]], Any]] = [
    ("none", [], ("http", "127.0.0.1")),
    ("proto", [("x-forwarded-proto", "https")], ("https", "127.0.0.1")),
    ("list", [("x-forwarded-proto", "https,http")], ("https", "127.0.0.1")),
    ("for", [("x-forwarded-for", "6.6.6.6, 192.0.2.7")], ("http", "192.0.2.7")),
]


@pytest.mark.parametrize(("_name", "headers", "seen"), FORWARDED, ids=[f[0] for f in FORWARDED])
def test_forwarding_headers_of_a_proxy_reach_the_app(
    _name: str, headers: list[tuple[str, str]], seen: tuple[str, str]
) -> None:
    """The app sees the browser's scheme and address."""
    app = Recorder()

    request(make(app), "/app/media/x", [*HOST, *headers])

    assert (app.last["scheme"], app.last["client"][0]) == seen


def test_forwarding_headers_of_a_stranger_do_not(caplog: pytest.LogCaptureFixture) -> None:
    """They are ignored, and the log names the flag that would believe them."""
    app = Recorder()
    caplog.set_level(logging.INFO, "stlaunch")
    headers = [*HOST, ("x-forwarded-for", "10.0.0.1"), ("x-forwarded-host", "evil.test")]

    request(make(app), "/app/media/x", headers, client=STRANGER)

    assert app.last["client"] == STRANGER
    assert dict(app.last["headers"])[b"host"] == b"app.test"
    assert f"--trusted-proxies {STRANGER[0]}" in caplog.text


def test_a_reset_connection_does_not_pass_for_a_unix_socket() -> None:
    """Uvicorn reports no peer for it, as for a unix socket, which is trusted."""
    app = Recorder()

    request(make(app), "/app/media/x", [*HOST, ("x-forwarded-proto", "https")], client=None)

    assert app.last["scheme"] == "http"


@pytest.mark.parametrize(
    ("proto", "cookie"),
    [("https", "a=b; Path=/; Secure"), ("http", "a=b; Path=/")],
    ids=["https", "http"],
)
def test_cookies_are_secure_behind_https(proto: str, cookie: str) -> None:
    """Streamlit marks them only where it speaks TLS itself."""
    app = Recorder(response_headers=[(b"set-cookie", b"a=b; Path=/")])

    answer = request(make(app), "/app/media/x", [*HOST, ("x-forwarded-proto", proto)])

    assert answer.header("set-cookie") == cookie


def test_a_secure_cookie_is_not_marked_twice() -> None:
    """What the app already set stays unchanged."""
    app = Recorder(response_headers=[(b"set-cookie", b"a=b; secure; Path=/")])

    answer = request(make(app), "/app/media/x", [*HOST, ("x-forwarded-proto", "https")])

    assert answer.header("set-cookie") == "a=b; secure; Path=/"


# --- the rule, whatever arrives

LONG_HOST = "a." * 123 + "bb"
FOREIGN = [
    "https://evil.test",
    "http://app.test.evil.test",
    "http://app.test:81",
    "http://app.test@evil.test",
    "http://evil.test#app.test",
    "http://app.test, http://app.test",
    "http://app.test\\.evil.test",
    "null",
    "",
    "file://app.test",
    f"http://{LONG_HOST}.x",
    "http://127.0.0.1:8501",
]
ATTACK_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix", "forwarded",
                "x-forwarded-for", "x-real-ip", "sec-fetch-site", "sec-fetch-mode", "referer",
                "cookie", "sec-websocket-protocol", "x-original-host", "via", "x-forwarded-port",
            ]
        ),
        st.sampled_from(
            [
                "evil.test", "https", "same-origin", "host=evil.test;proto=https", "websocket",
                f"{PLAIN_COOKIE}={'a' * 22}", f"{HOST_COOKIE}={'a' * 22}", "stlaunch.",
                "streamlit, stlaunch." + "a" * 43,
                "stlaunch." + PROOF.token(PLAIN_COOKIE, "b" * 22),
                "/app", "127.0.0.1", "\xe9,\x00;",
            ]
        )
        | st.text(st.characters(max_codepoint=255), max_size=40),
    ),
    max_size=8,
)  # fmt: skip


@given(
    host=st.sampled_from(["app.test", LONG_HOST]),
    origin=st.sampled_from(FOREIGN),
    headers=ATTACK_HEADERS,
    path=st.sampled_from([STREAM, "/_stcore/stream", "//_stcore/stream", STREAM + "\n"]),
)
def test_no_header_lets_a_foreign_page_in(
    host: str, origin: str, headers: list[tuple[str, str]], path: str
) -> None:
    """From an untrusted peer only a cookie with its own token makes up for the Origin."""
    app = Recorder()

    status, _ = handshake(
        make(app), path, [("host", host), ("origin", origin), *headers], client=STRANGER
    )

    assert status == 403
    assert not app.scopes


@pytest.mark.parametrize("path", [STREAM, "/_stcore/stream"], ids=["kept", "stripped"])
@pytest.mark.parametrize(
    "policy",
    [
        OriginPolicy(public_origins=(Origin("https", "app.test", 443),)),
        OriginPolicy(check=OriginCheck.STRICT),
    ],
    ids=["public-url", "strict"],
)
def test_a_final_newline_does_not_walk_around_the_rule(path: str, policy: OriginPolicy) -> None:
    """Starlette's routes match `/stream%0A` as well: `$` stands before a final newline."""
    app = Recorder()
    wrapped = make(app, policy=policy)

    socket, _ = handshake(wrapped, path + "\n", EVIL)
    plain = request(wrapped, path + "\n", HOST)

    assert (socket, plain.status) == (403, 404)
    assert not app.scopes


def test_a_long_origin_is_compared_whole() -> None:
    """A name that merely starts like a very long allowed host is a different host."""
    app = Recorder()
    wrapped = make(app)

    own, _ = handshake(wrapped, headers=[("host", LONG_HOST), ("origin", f"http://{LONG_HOST}")])
    other, _ = handshake(
        wrapped, headers=[("host", LONG_HOST), ("origin", f"http://{LONG_HOST}.evil.test")]
    )

    assert (own, other) == (101, 403)


def test_a_refusal_over_http_2_names_no_connection_header() -> None:
    """RFC 9113 section 8.2.2 forbids them there; a server would drop the whole answer."""
    answer = request(make(Recorder()), STREAM, [*HOST, ("upgrade", "x")], http_version="2")

    assert answer.status == 426
    assert (answer.header("connection"), answer.header("upgrade")) == (None, None)


def test_a_token_is_taken_out_of_repeated_headers() -> None:
    """Also from a line that holds nothing else, and never another protocol with it."""
    app = Recorder()
    cookie, token = _proven()
    lines = [
        ("sec-websocket-protocol", f"streamlit,{token}"),
        ("sec-websocket-protocol", token),
        ("sec-websocket-protocol", "xsrf, stlaunchx"),
    ]

    status, _ = handshake(make(app), headers=[*HOST, ("origin", "https://x.test"), *cookie, *lines])
    left = [value for name, value in app.last["headers"] if name == b"sec-websocket-protocol"]

    assert status == 101
    assert left == [b"streamlit", b"xsrf, stlaunchx"]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "same-origin, cross-site"])
def test_fetch_metadata_vetoes_host_and_proof(site: str) -> None:
    """It never rejects an origin that the user allowed."""
    cookie, token = _proven()
    headers = [*SAME, ("sec-fetch-site", site), *cookie]

    vetoed, _ = handshake(make(Recorder()), headers=headers, protocols=[token])
    allowing = OriginPolicy(allowed_origins=(Origin("http", "app.test", 80),))
    allowed, _ = handshake(make(Recorder(), policy=allowing), headers=headers)

    assert (vetoed, allowed) == (403, 101)


def test_an_allowed_page_of_the_same_site_gets_the_websocket_alone() -> None:
    """The HTTP transport is the app's own page's: a browser asks before, and gets no answer."""
    policy = OriginPolicy(allowed_origins=(Origin("https", "portal.test", 443),))
    app = make(Recorder(), policy=policy)
    headers = [
        ("host", "app.test"),
        ("origin", "https://portal.test"),
        ("sec-fetch-site", "same-site"),
    ]
    asked = [("access-control-request-method", "POST")]
    path = "/app/_stlaunch/tunnel"
    preflight = request(app, path, [*headers, *asked], method="OPTIONS")
    opened = request(app, path, [*headers, ("x-stlaunch", "1")], method="POST")

    assert handshake(app, headers=headers)[0] == 101
    assert [preflight.status, opened.status] == [403, 403]
    for answer in (preflight, opened):
        assert not [name for name, _ in answer.headers if name.startswith("access-control-")]
