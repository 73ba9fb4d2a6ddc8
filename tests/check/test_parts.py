"""The small pure parts of the check: targets, cookies, redaction, protobuf, HPACK."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.check import Target, protobuf
from stlaunch.check.cookies import SetCookie, kept
from stlaunch.check.observations import Exchange
from stlaunch.check.pages import login_of
from stlaunch.check.probes.http2 import _status
from stlaunch.check.protobuf import DamagedMessageError
from stlaunch.check.redact import MASK, redacted, safe_text, without_addresses

APP = Target.parse("http://app.example.test/app/")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        pytest.param("https://app.example.test/app/", "https://app.example.test/app/", id="https"),
        pytest.param("/app/inner/", "http://app.example.test/app/inner/", id="below"),
        pytest.param("inner", "http://app.example.test/app/inner/", id="relative"),
        pytest.param("/", None, id="out-of-the-prefix"),
        pytest.param("https://app.example.test:8443/app/", None, id="another-port"),
        pytest.param("https://evil.test/app/", None, id="another-host"),
        pytest.param("//evil.test/app/", None, id="protocol-relative"),
        pytest.param("http://[::1", None, id="malformed"),
        pytest.param("javascript:alert(1)", None, id="script"),
    ],
)
def test_only_a_better_address_of_the_same_app_is_followed(location: str, url: str | None) -> None:
    moved = APP.following(location)

    assert (moved.url if moved else None) == url


@pytest.mark.parametrize(
    ("line", "is_sent"),
    [
        pytest.param("a=b", True, id="plain"),
        pytest.param("a=b; Path=/", True, id="root"),
        pytest.param("a=b; Path=/app", True, id="prefix"),
        pytest.param("a=b; Path=/app/", True, id="prefix-slash"),
        pytest.param("a=b; Path=/ap", False, id="half-a-segment"),
        pytest.param("a=b; Path=/other", False, id="another"),
        pytest.param("a=b; Domain=example.test", True, id="parent-domain"),
        pytest.param("a=b; Domain=other.test", False, id="another-domain"),
        pytest.param("a=b; Secure", False, id="secure-over-http"),
    ],
)
def test_cookie_is_sent_as_a_browser_would(line: str, is_sent: bool) -> None:
    assert SetCookie.parse(line).reaches(APP) is is_sent
    assert ("a" in kept([line], APP)) is is_sent


def test_observations_are_masked() -> None:
    seen = {
        "url": "https://u:p@host/x?token=abc",
        "headers": [
            ("set-cookie", "id=abc; Path=/"),
            ("cookie", "id=abc; b=abc"),
            ("authorization", "Bearer abc"),
            ("x-mine", "abc"),
            ("location", "/next?code=abc"),
            ("sec-websocket-protocol", "streamlit, abc"),
            ("x-forwarded-for", "9.9.9.9, 10.0.0.1"),
        ],
        "text": '<script data-tokens="abc abc"></script>\x1b[2J',
        "client": "9.9.9.9",
    }
    told = json.dumps(redacted(seen, secret_headers=["X-Mine"]))

    assert "abc" not in told
    assert "9.9.9.9" not in told
    assert "\\u001b" not in told
    assert "10.0.0.1" in told
    assert "streamlit" in told


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        pytest.param("9.9.9.9", MASK, id="ipv4"),
        pytest.param("2600::1, 10.1.2.3", f"{MASK}, 10.1.2.3", id="ipv6"),
        pytest.param("127.0.0.1:8501", "127.0.0.1:8501", id="loopback"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("12:30:00", "12:30:00", id="time"),
    ],
)
def test_addresses_of_the_internet_are_masked(text: str, masked: str) -> None:
    assert without_addresses(text) == masked


@given(st.text())
def test_safe_text_is_printable(text: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in safe_text(text))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_damaged(data: bytes) -> None:
    try:
        found = list(protobuf.fields(memoryview(data)))
    except DamagedMessageError:
        return
    assert len(found) <= len(data)


def test_fields_are_found_by_their_path() -> None:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.new_session.initialize.environment_info.streamlit_version = "1.2.3"
    message.new_session.initialize.session_id = "abc"
    data = memoryview(message.SerializeToString())

    assert protobuf.text(data, 4, 1, 3, 1) == "1.2.3"
    assert protobuf.text(data, 4, 1, 6) == "abc"
    assert protobuf.find(data, 6) is None


def test_a_padded_message_is_skipped_by_streamlit() -> None:
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.ParseFromString(b"\x88\x01\x01" + protobuf.padded_field(1000, 70_000))

    assert message.app_heartbeat


@pytest.mark.parametrize(
    ("block", "status"),
    [
        pytest.param(b"\x88", 200, id="indexed-200"),
        pytest.param(b"\x8c\x00", 400, id="indexed-400"),
        pytest.param(b"\x48\x03403", 403, id="literal"),
        pytest.param(b"\x08\x82\x64\x02", 302, id="huffman"),  # RFC 7541, C.6.1
        pytest.param(b"\x20\x88", 200, id="after-a-table-size"),
        pytest.param(b"\x3f\xe1\x1f\x88", 200, id="after-a-long-table-size"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\xff", None, id="unknown-index"),
        pytest.param(b"\x48\x03abc", None, id="no-number"),
    ],
)
def test_status_is_read_from_a_header_block(block: bytes, status: int | None) -> None:
    assert _status(block) == status


@pytest.mark.parametrize(
    ("headers", "text", "status", "name"),
    [
        pytest.param([("www-authenticate", "Basic realm=x")], "", 401, "Basic", id="basic"),
        pytest.param([("location", "/oauth2/start?rd=%2F")], "", 302, "oauth2-proxy", id="proxy"),
        pytest.param([("location", "/hub/login")], "", 302, "JupyterHub", id="hub"),
        pytest.param([("location", "/sso/")], "", 302, "a login form", id="path"),
        pytest.param([("location", "/loginless")], "", 302, "", id="only-the-beginning"),
        pytest.param([], "<input name=a type='password'>", 200, "a login form", id="form"),
        pytest.param([], "<title>Streamlit</title><input type=password>", 200, "", id="streamlit"),
    ],
)
def test_logins_are_named(
    headers: list[tuple[str, str]], text: str, status: int, name: str
) -> None:
    answer = Exchange(url="http://x/", status=status, headers=tuple(headers), text=text)

    assert login_of(answer).startswith(name)
    assert bool(login_of(answer)) is bool(name)
