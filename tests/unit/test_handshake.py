"""What a handshake carried, the verdict on it, and nothing that identifies anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.diagnostics.handshake import (
    Handshake,
    HandshakeStats,
    HandshakeVerdict,
    compare,
    header_value,
    list_values,
    read_cookies,
    read_handshake,
)

UPGRADE = (b"upgrade", b"websocket")
CONNECTION = (b"connection", b"keep-alive, Upgrade")
KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
VERSION = (b"sec-websocket-version", b"13")
PROTOCOL = (b"sec-websocket-protocol", b"streamlit, token")
V = HandshakeVerdict


def _read(*headers: tuple[bytes, bytes], kind: str = "http", **facts: Any) -> Handshake:
    scope = {"type": kind, "http_version": "1.1", "method": "GET", "headers": list(headers)}
    return read_handshake(scope, **facts)


CASES: list[tuple[str, str, tuple[tuple[bytes, bytes], ...], HandshakeVerdict, int]] = [
    ("intact", "websocket", (UPGRADE, CONNECTION, KEY, VERSION, PROTOCOL), V.INTACT, 0),
    ("no-protocol", "websocket", (UPGRADE, CONNECTION, KEY, VERSION), V.PROTOCOL_STRIPPED, 0),
    ("nginx", "http", (KEY, VERSION, (b"connection", b"close")), V.UPGRADE_STRIPPED, 2),
    ("version-is-left", "http", (VERSION,), V.UPGRADE_STRIPPED, 3),
    ("connection-lost", "http", (UPGRADE, KEY, VERSION), V.CONNECTION_STRIPPED, 1),
    ("upper-case", "http", ((b"upgrade", b"WebSocket"), KEY), V.CONNECTION_STRIPPED, 1),
    ("other-upgrade", "http", ((b"upgrade", b"h2c"), CONNECTION), V.UPGRADE_STRIPPED, 2),
    ("a-plain-visit", "http", (), V.NOT_A_HANDSHAKE, 3),
    ("a-health-probe", "http", ((b"connection", b"close"),), V.NOT_A_HANDSHAKE, 3),
]


@pytest.mark.parametrize(
    ("_name", "kind", "headers", "verdict", "missing"), CASES, ids=[case[0] for case in CASES]
)
def test_verdict_table(
    _name: str,
    kind: str,
    headers: tuple[tuple[bytes, bytes], ...],
    verdict: HandshakeVerdict,
    missing: int,
) -> None:
    """What is left of a handshake shows what was lost."""
    handshake = _read(*headers, kind=kind)

    assert handshake.verdict is verdict
    assert len(handshake.missing) == missing


def test_nothing_secret_is_kept() -> None:
    """Cookie values, unknown cookie names, keys, tokens and addresses never enter the record."""
    secret = "s3cret"
    handshake = _read(
        (b"cookie", f"a={secret}; {secret}=1".encode()),
        (b"cookie", b"_streamlit_xsrf=" + secret.encode()),
        (b"sec-websocket-key", secret.encode()),
        (b"sec-websocket-protocol", f"streamlit, {secret}".encode()),
        (b"x-forwarded-for", secret.encode()),
        (b"forwarded", f"for={secret}".encode()),
        (b"authorization", secret.encode()),
        known_cookies=["_streamlit_xsrf"],
    )

    assert secret not in json.dumps(handshake.as_dict())
    assert handshake.cookie_names == ("_streamlit_xsrf", "2 others")
    assert handshake.forwarding == ("forwarded", "x-forwarded-for")


def test_a_shown_value_is_bounded() -> None:
    """A header of any length leaves a short record."""
    handshake = _read((b"upgrade", b"x" * 60_000), (b"origin", b"y" * 60_000))

    assert len(json.dumps(handshake.as_dict())) < 2000


def test_a_decision_sees_the_whole_header() -> None:
    """What is compared is never cut: the start of a long Origin may be another one."""
    value = "https://" + "a" * 300

    assert header_value([(b"origin", value.encode())], b"origin") == value


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ([], []),
        ([b""], []),
        ([b"a, b"], ["a", "b"]),
        ([b"a", b"b,c"], ["a", "b", "c"]),
        ([b" , a ,, b, "], ["a", "b"]),
    ],
    ids=["absent", "empty", "one-line", "several-lines", "gaps"],
)
def test_list_header(lines: list[bytes], values: list[str]) -> None:
    """A list may come as one line or as several (RFC 9110 section 5.3)."""
    assert list_values([(b"x", line) for line in lines], b"x") == values


@pytest.mark.parametrize(
    ("lines", "pairs"),
    [
        ([b"a=1"], [("a", "1")]),
        ([b"a=1; a=2"], [("a", "1"), ("a", "2")]),
        ([b"a=1", b"b=2"], [("a", "1"), ("b", "2")]),
        ([b"a=x=y"], [("a", "x=y")]),
        ([b"novalue; a=1"], [("a", "1")]),
    ],
    ids=["one", "twice", "two-lines", "equals-sign", "no-value"],
)
def test_cookies_are_read_with_their_duplicates(
    lines: list[bytes], pairs: list[tuple[str, str]]
) -> None:
    """A planted cookie next to the real one is seen, not merged away."""
    assert read_cookies([(b"cookie", line) for line in lines]) == pairs


@given(st.lists(st.tuples(st.sampled_from([UPGRADE[0], KEY[0], b"cookie", b"via"]), st.binary())))
def test_any_headers_can_be_read(headers: list[tuple[bytes, bytes]]) -> None:
    """Bytes from the wire never raise, and the record is JSON."""
    handshake = _read(*headers)

    assert handshake.verdict in HandshakeVerdict
    assert json.dumps(handshake.as_dict())


def test_compare_names_what_changed() -> None:
    """Lost, added and changed headers; the case of a name is not a change."""
    changes = compare(
        {"Host": "app.test", "Upgrade": "websocket", "Same": "1"},
        {"host": "127.0.0.1", "via": "1.1 x", "same": "1"},
    )

    assert changes == {
        "host": ("app.test", "127.0.0.1"),
        "upgrade": ("websocket", ""),
        "via": ("", "1.1 x"),
    }


@pytest.mark.parametrize(
    ("verdicts", "summary"),
    [
        ([], "unseen"),
        ([V.NOT_A_HANDSHAKE], "unseen"),
        ([V.INTACT], "intact"),
        ([V.UPGRADE_STRIPPED], "stripped"),
        ([V.CONNECTION_STRIPPED, V.ORIGIN_REJECTED], "stripped"),
        ([V.ORIGIN_REJECTED], "rejected"),
        ([V.INTACT, V.ORIGIN_REJECTED], "degraded"),
        ([V.UPGRADE_STRIPPED, V.INTACT], "degraded"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value) or "nothing",
)
def test_stats_says_it_in_one_word(verdicts: list[HandshakeVerdict], summary: str) -> None:
    """The verdict covers all handshakes so far."""
    handshake_stats = HandshakeStats()

    for verdict in verdicts:
        handshake_stats.record(verdict, _read(), witness="198.51.100.7")

    assert handshake_stats.summary("198.51.100.7") == summary


@pytest.mark.parametrize("verdict", [V.UPGRADE_STRIPPED, V.ORIGIN_REJECTED])
def test_bad_news_needs_the_asking_client_or_two_others(verdict: HandshakeVerdict) -> None:
    """A stranger, who can send anything as often as they like, does not set what others read."""
    stats = HandshakeStats()
    summaries = []
    for witness in ("", "", "203.0.113.9", "203.0.113.9", "203.0.113.10"):
        stats.record(verdict, _read(), witness=witness)
        summaries.append(stats.summary("198.51.100.7"))
    bad = "rejected" if verdict is V.ORIGIN_REJECTED else "stripped"

    assert summaries == ["unseen"] * 4 + [bad]


def test_witnesses_are_bounded() -> None:
    stats = HandshakeStats()
    for number in range(1000):
        stats.record(V.UPGRADE_STRIPPED, _read(), witness=str(number))

    assert sum(len(seen) for seen in stats._witnesses.values()) == 64


def test_stats_keeps_the_last_of_each_kind_only() -> None:
    """Its size does not grow with the traffic."""
    handshake_stats = HandshakeStats()

    for number in range(50):
        handshake_stats.record(V.INTACT, _read((b"host", b"%d" % number)))

    assert handshake_stats.counts[V.INTACT] == 50
    assert [handshake.host for _, handshake in handshake_stats.last.values()] == ["49"]
