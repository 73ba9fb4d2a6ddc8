"""Forwarding headers are believed from trusted proxies only, and never blindly."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stlaunch.forwarded import FORWARDING_HEADERS, Forwarded, TrustedProxies, resolve_forwarded
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

Peer = tuple[str, int] | None
LOCAL = TrustedProxies.parse(["loopback"])
NEAR = TrustedProxies.parse(["loopback", "10.0.0.0/8"])


def resolve(
    *lines: str, peer: Peer = ("127.0.0.1", 9), scheme: str = "http", trusted: TrustedProxies = NEAR
) -> Forwarded:
    """Resolve headers that are written as `Name: value` lines."""
    pairs = (line.partition(": ") for line in lines)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, _, value in pairs]
    return resolve_forwarded(headers=headers, peer=peer, scheme=scheme, trusted=trusted)


def client(*lines: str, peer: Peer = ("127.0.0.1", 9), trusted: TrustedProxies = NEAR) -> Peer:
    """The client that the header lines name."""
    return resolve(*lines, peer=peer, trusted=trusted).client


TRUST = [
    pytest.param("none", ("127.0.0.1", 9), False, id="nobody"),
    pytest.param("loopback", ("127.0.0.1", 9), True, id="loopback"),
    pytest.param("loopback", ("198.51.100.9", 9), False, id="stranger"),
    pytest.param("10.0.0.0/8", ("10.1.1.1", 9), True, id="network"),
    pytest.param("10.0.0.0/8", ("127.0.0.1", 9), False, id="outside the network"),
    pytest.param("unix", None, True, id="unix"),
    pytest.param("loopback", None, False, id="unix, not trusted"),
    pytest.param("loopback", ("::ffff:127.0.0.1", 9), True, id="mapped IPv6"),
    pytest.param("loopback", ("testclient", 9), False, id="junk"),
]
"""Trusted proxies, the peer, and whether it is one."""

PEER = object()
HEADERS = [
    pytest.param([], PEER, id="none"),
    pytest.param(["X-Forwarded-For: 192.0.2.1"], ("192.0.2.1", 0), id="single"),
    pytest.param(["X-Forwarded-For: 6.6.6.6, 192.0.2.1"], ("192.0.2.1", 0), id="list"),
    pytest.param(
        ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1"], ("192.0.2.1", 0), id="lines"
    ),
    pytest.param(["X-Forwarded-For: 6.6.6.6, <script>"], None, id="malformed"),
    pytest.param(['Forwarded: for="[2001:db8::7]:4711"'], ("2001:db8::7", 4711), id="RFC 7239"),
    pytest.param(["Forwarded: for=6.6.6.6, for=192.0.2.1"], ("192.0.2.1", 0), id="RFC 7239 list"),
    pytest.param(
        ['Forwarded: for="6.6.6.6', "Forwarded: for=192.0.2.1"], ("192.0.2.1", 0), id="open quote"
    ),
    pytest.param(["Forwarded: ==;"], PEER, id="RFC 7239 malformed"),
]
"""Header lines, and the client that they name."""


@pytest.mark.parametrize(("lines", "expected"), HEADERS)
@pytest.mark.parametrize(("texts", "peer", "is_trusted"), TRUST)
def test_client(
    texts: str, peer: Peer, is_trusted: bool, lines: list[str], expected: object
) -> None:
    """The client is who a trusted proxy names, else the peer."""
    found = resolve(*lines, peer=peer, trusted=TrustedProxies.parse([texts]))

    assert found.is_peer_trusted is is_trusted
    assert found.client == (expected if is_trusted and expected is not PEER else peer)
    assert bool(found.ignored) is bool(lines and not found.believed)


@pytest.mark.parametrize(
    ("lines", "expected", "hops"),
    [
        pytest.param(["X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.7"], "192.0.2.1", 2, id="two"),
        pytest.param(["X-Forwarded-For: 10.0.0.8, 10.0.0.7"], "10.0.0.8", 2, id="all trusted"),
        pytest.param(["X-Forwarded-For: 192.0.2.1, ::ffff:10.0.0.7"], "192.0.2.1", 2, id="mapped"),
        pytest.param(["X-Forwarded-For: ::ffff:192.0.2.1"], "192.0.2.1", 1, id="mapped client"),
        pytest.param(["Forwarded: for=192.0.2.1, for=10.0.0.7"], "192.0.2.1", 2, id="RFC 7239"),
        pytest.param(["X-Real-IP: 192.0.2.1"], "192.0.2.1", 1, id="X-Real-IP"),
        pytest.param(["X-Real-IP: [2001:db8::1]"], "2001:db8::1", 1, id="X-Real-IP v6"),
        pytest.param(["X-Real-IP: junk"], "127.0.0.1", 1, id="X-Real-IP junk"),
        pytest.param(["X-Real-IP: 6.6.6.6", "X-Real-IP: 7.7.7.7"], "127.0.0.1", 1, id="two of it"),
        pytest.param(
            ["X-Real-IP: 6.6.6.6", "X-Forwarded-For: 192.0.2.1"], "192.0.2.1", 1, id="XFF first"
        ),
        pytest.param(
            ["X-Real-IP: 6.6.6.6", "Forwarded: for=192.0.2.1"], "192.0.2.1", 1, id="RFC first"
        ),
        pytest.param(
            ["Forwarded: proto=https", "X-Real-IP: 192.0.2.1"], "192.0.2.1", 1, id="no for in it"
        ),
        pytest.param(
            ["Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.1"], "192.0.2.1", 1, id="differ"
        ),
    ],
)
def test_client_and_hops(lines: list[str], expected: str, hops: int) -> None:
    found = resolve(*lines)

    assert found.client is not None
    assert (found.client[0], found.hops) == (expected, hops)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("X-Forwarded-For: 192.0.2.1:4711", ("192.0.2.1", 4711), id="port"),
        pytest.param("X-Forwarded-For: 192.0.2.1:99999", ("192.0.2.1", 0), id="no such port"),
        pytest.param("X-Forwarded-For: [2001:db8::1]:1", ("2001:db8::1", 1), id="IPv6 and port"),
        pytest.param("X-Forwarded-For: 2001:DB8::1", ("2001:db8::1", 0), id="bare IPv6"),
        pytest.param("X-Forwarded-For: unknown", None, id="unknown"),
        pytest.param("X-Forwarded-For: None", None, id="Home Assistant's None"),
        pytest.param("Forwarded: for=_hidden;proto=https", None, id="obfuscated"),
    ],
)
def test_client_forms(line: str, expected: Peer) -> None:
    assert client(line) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["X-Forwarded-Proto: https"], "https", id="single"),
        pytest.param(["X-Forwarded-Proto: HTTP"], "http", id="upper case"),
        pytest.param(["X-Forwarded-Proto: wss"], "https", id="wss"),
        pytest.param(["X-Forwarded-Proto: ws"], "http", id="ws"),
        pytest.param(["X-Forwarded-Proto: https,http"], "https", id="JupyterHub's proxy"),
        pytest.param(["X-Forwarded-Proto: http"] * 2, "http", id="lines"),
        pytest.param(["X-Forwarded-Proto: javascript"], None, id="another scheme"),
        pytest.param(["X-Forwarded-Proto:  "], None, id="blank"),
        pytest.param(["X-Forwarded-Scheme: https"], "https", id="X-Forwarded-Scheme"),
        pytest.param(["X-Scheme: https"], "https", id="X-Scheme"),
        pytest.param(["X-Forwarded-Ssl: on"], "https", id="X-Forwarded-Ssl"),
        pytest.param(["X-Forwarded-Ssl: off"], None, id="X-Forwarded-Ssl off"),
        pytest.param(["Front-End-Https: On"], "https", id="Front-End-Https"),
        pytest.param(["X-Forwarded-Proto: http", "X-Scheme: https"], "http", id="order"),
        pytest.param(["X-Forwarded-Proto: x", "X-Scheme: https"], "https", id="junk first"),
        pytest.param(["Forwarded: for=192.0.2.1;proto=HTTPS"], "https", id="RFC 7239"),
        pytest.param(["Forwarded: proto=https"], "https", id="RFC 7239 without for"),
        pytest.param(
            ["Forwarded: for=192.0.2.1;proto=https, for=10.0.0.7;proto=http"], "https", id="hops"
        ),
        pytest.param(
            ["Forwarded: for=6.6.6.6;proto=https", "X-Forwarded-For: 192.0.2.1"],
            None,
            id="RFC 7239 that names another client",
        ),
        pytest.param(
            ["Forwarded: for=192.0.2.1;proto=https", "X-Forwarded-For: 192.0.2.1"],
            "https",
            id="RFC 7239 that names the same client",
        ),
        pytest.param(["X-Forwarded-For: 192.0.2.1"], None, id="not sent"),
    ],
)
def test_scheme(lines: list[str], expected: str | None) -> None:
    assert resolve(*lines).scheme == expected


TWO_HOPS = "X-Forwarded-For: 192.0.2.1, 10.0.0.7"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["X-Forwarded-Host: A.example"], "a.example", id="single"),
        pytest.param(["X-Forwarded-Host: a.example:8443"], "a.example:8443", id="with port"),
        pytest.param(["X-Forwarded-Host: evil, a"], "a", id="one hop, forged first value"),
        pytest.param([TWO_HOPS, "X-Forwarded-Host: evil, a, b"], "a", id="two hops, both append"),
        pytest.param([TWO_HOPS, "X-Forwarded-Host: a"], "a", id="two hops, one writes"),
        pytest.param(["X-Forwarded-Host: evil", "X-Forwarded-Host: a"], "a", id="lines"),
        pytest.param(["X-Forwarded-Host: a/b"], None, id="not a host"),
        pytest.param(["X-Forwarded-Host: https://a"], None, id="origin"),
        pytest.param(['Forwarded: host="a:8443"'], "a:8443", id="RFC 7239"),
        pytest.param(["Forwarded: host=b", "X-Forwarded-Host: a"], "a", id="both"),
        pytest.param(["X-Forwarded-Host: a", "X-Forwarded-Port: 8443"], "a:8443", id="port"),
        pytest.param(["X-Forwarded-Host: a:1", "X-Forwarded-Port: 2"], "a:1", id="port twice"),
        pytest.param(["X-Forwarded-Host: a", "X-Forwarded-Port: 80"], "a", id="usual port"),
        pytest.param(
            ["X-Forwarded-Host: a", "X-Forwarded-Proto: https", "X-Forwarded-Port: 80"],
            "a",
            id="port of JupyterHub's proxy behind TLS",
        ),
        pytest.param(["X-Forwarded-Host: a", "X-Forwarded-Port: 0"], "a", id="port 0"),
        pytest.param(["X-Forwarded-Host: a", "X-Forwarded-Port: 1 2"], "a", id="junk port"),
        pytest.param(["Host: a", "X-Forwarded-Port: 8443"], "a:8443", id="port for Host"),
        pytest.param(["Host: a:1", "X-Forwarded-Port: 8443"], None, id="Host has a port"),
        pytest.param(["Host: a", "X-Forwarded-Port: 80"], None, id="Host, usual port"),
        pytest.param(["Host: a", "Host: b", "X-Forwarded-Port: 8443"], None, id="two Hosts"),
        pytest.param(["Host: a b", "X-Forwarded-Port: 8443"], None, id="malformed Host"),
        pytest.param(["X-Forwarded-Port: 8443"], None, id="port alone"),
    ],
)
def test_host(lines: list[str], expected: str | None) -> None:
    assert resolve(*lines).host == (expected and HostPort.parse(expected))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["X-Forwarded-Prefix: /app/"], "/app", id="usual"),
        pytest.param(["X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b/"], "/a/b", id="lines"),
        pytest.param(["X-Forwarded-Prefix: /a, /b"], "/a/b", id="list"),
        pytest.param(["X-Forwarded-Prefix: /a,b"], "/a,b", id="comma in the path"),
        pytest.param(["X-Forwarded-Prefix: /", "X-Forwarded-Prefix: /b"], "/b", id="root, path"),
        pytest.param(["X-Forwarded-Prefix: /"], "", id="root"),
        pytest.param(["X-Script-Name: /app"], "/app", id="X-Script-Name"),
        pytest.param(["X-Ingress-Path: /api/hassio_ingress/x"], "/api/hassio_ingress/x", id="HA"),
        pytest.param(["X-ProxyContextPath: /app"], "/app", id="X-ProxyContextPath"),
        pytest.param(["X-Forwarded-Context: /app"], "/app", id="X-Forwarded-Context"),
        pytest.param(["X-RStudio-Root-Path: /nb/ns/x"], "/nb/ns/x", id="Kubeflow"),
        pytest.param(["X-Script-Name: /b", "X-Forwarded-Prefix: /a"], "/a", id="order"),
        pytest.param(["X-Forwarded-Prefix: //evil", "X-Script-Name: /b"], "/b", id="next best"),
        pytest.param(["X-Forwarded-Prefix: /", "X-Script-Name: /b"], "/b", id="deeper than root"),
        pytest.param(["X-Script-Name: /a", "X-Script-Name: /a"], "/a", id="same twice"),
        pytest.param(["X-Script-Name: /a", "X-Script-Name: /b"], None, id="two of it"),
        pytest.param(["X-Forwarded-Prefix: //evil.example"], None, id="another host"),
        pytest.param(["X-Forwarded-Prefix: /a, //evil.example"], None, id="another host in a list"),
        pytest.param(["X-Forwarded-Prefix: /a,", "X-Forwarded-Prefix: /b"], "/a,/b", id="comma"),
        pytest.param(["X-Forwarded-Prefix: https://evil.example"], None, id="URL"),
        pytest.param(["X-Forwarded-Prefix: javascript:alert(1)"], None, id="scheme"),
        pytest.param(["X-Forwarded-Prefix: /../x"], None, id="dots"),
        pytest.param(["X-Forwarded-Prefix: /\\evil.example"], None, id="backslash"),
        pytest.param(["X-Forwarded-Prefix: /ä"], None, id="not ASCII"),
        pytest.param(["X-Forwarded-Prefix: /" + "a" * 600], None, id="too long"),
        pytest.param(["X-Forwarded-Prefix: /" + "a" * 99] * 9, None, id="too long together"),
    ],
)
def test_prefix(lines: list[str], expected: str | None) -> None:
    assert resolve(*lines).prefix == (None if expected is None else BasePath(expected))


def test_what_was_believed_and_what_not_is_shown_with_reasons() -> None:
    found = resolve(
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=6.6.6.6;host=evil",
        "X-Forwarded-Proto: https",
        "X-Scheme: http",
        "X-Forwarded-Port: 443",
        "X-Forwarded-Prefix: //evil.example",
        "X-Real-IP: 192.0.2.1",
        "Cookie: not=ours",
    )

    assert found.believed == ("X-Forwarded-For", "X-Forwarded-Proto")
    assert found.reasons == {
        "Forwarded": "does not name the client that X-Forwarded-For names",
        "X-Real-IP": "is not needed next to X-Forwarded-For",
        "X-Scheme": "differs from X-Forwarded-Proto, which counts first",
        "X-Forwarded-Port": "is the usual port of https",
        "X-Forwarded-Prefix": "is not a plain path",
    }
    assert found.ignored == tuple(found.reasons)


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        pytest.param(("198.51.100.9", 1), "'198.51.100.9'", id="address"),
        pytest.param(None, "a Unix socket", id="unix"),
    ],
)
def test_an_untrusted_peer_is_named_in_the_reason(peer: Peer, source: str) -> None:
    found = resolve("X-Forwarded-Proto: https", peer=peer, trusted=LOCAL)

    assert found.reasons == {"X-Forwarded-Proto": f"came from {source}, not a trusted proxy"}


def test_a_direct_request_passed_no_proxy() -> None:
    assert resolve("Host: a") == Forwarded(client=("127.0.0.1", 9), is_peer_trusted=True)


def test_nobody_can_pass_for_the_unix_socket() -> None:
    """The stand-in for a peer without an address is not trusted anywhere else."""
    unix = TrustedProxies.parse(["unix"])

    assert client("X-Forwarded-For: 6.6.6.6, 100::1") == ("100::1", 0)
    assert client("X-Forwarded-For: 100::1, 192.0.2.1", peer=None, trusted=unix) == (
        "192.0.2.1",
        0,
    )
    assert "100::1" not in unix


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param("X-Forwarded-For: " + "127.0.0.1," * 50_000, id="trusted hops"),
        pytest.param("X-Forwarded-For: " + "junk," * 50_000, id="junk"),
        pytest.param("Forwarded: " + 'for="\\",' * 50_000, id="quotes"),
        pytest.param("X-Forwarded-Prefix: " + "/a," * 50_000, id="prefixes"),
        pytest.param("X-Forwarded-Host: " + "a" * 300_000, id="host"),
    ],
)
def test_the_work_is_bounded_and_the_proxy_still_heard(flood: str) -> None:
    """Whatever the client puts in front, what the proxy appends after it counts."""
    start = time.process_time()
    name = flood.partition(":")[0]
    value = "for=192.0.2.1" if name == "Forwarded" else "192.0.2.1"
    appended = resolve(flood + value)
    another_line = resolve(*[flood] * 20, f"{name}: {value}")

    assert time.process_time() - start < 2
    if name in {"X-Forwarded-For", "Forwarded"}:
        assert appended.client == another_line.client == ("192.0.2.1", 0)


NAMES = st.sampled_from(sorted(FORWARDING_HEADERS | {b"host", b"cookie"}))
VALUES = st.one_of(
    st.binary(max_size=40),
    st.text(st.sampled_from('for=;,"\\[]:.%/ 0179abx_'), max_size=40).map(str.encode),
    st.sampled_from(
        [b"192.0.2.1", b"10.0.0.1, 10.0.0.2", b"for=10.0.0.1;proto=https;host=a", b"https", b"on"]
    ),
    st.sampled_from([b"a.example", b"8443", b"/app", b"//evil.example", b"/..", b"/a, /b"]),
)
HEADER_LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
PEERS = st.none() | st.tuples(
    st.sampled_from(["127.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "192.0.2.9", "", "junk"]),
    st.integers(0, 65535),
)


@given(HEADER_LISTS, PEERS, st.sampled_from(["http", "https", "ws", "wss", "", "x"]))
@example([(b"x-forwarded-prefix", b"/a,"), (b"x-forwarded-prefix", b"/")], None, "http")
def test_whatever_comes_the_answer_is_plain(
    headers: list[tuple[bytes, bytes]], peer: Peer, scheme: str
) -> None:
    """It never raises, and what it gives is a path, a host, http or https, or nothing."""
    trusted = TrustedProxies.default(in_container=True)

    found = resolve_forwarded(headers=headers, peer=peer, scheme=scheme, trusted=trusted)

    assert found.scheme in {"http", "https", None}
    assert found.host is None or HostPort.parse(str(found.host)) == found.host
    if found.prefix is not None:
        assert BasePath.parse(str(found.prefix)) == found.prefix
        assert "//" not in found.prefix.with_slash
    assert set(found.ignored) == set(found.reasons)
    assert not set(found.ignored) & set(found.believed)
    assert all(name.lower().encode() in FORWARDING_HEADERS for name in found.reasons)


@given(HEADER_LISTS, PEERS)
def test_nothing_is_believed_from_an_untrusted_peer(
    headers: list[tuple[bytes, bytes]], peer: Peer
) -> None:
    trusted = TrustedProxies.parse(["192.0.2.0/29"])

    found = resolve_forwarded(headers=headers, peer=peer, scheme="http", trusted=trusted)

    names = found.ignored
    assert found == Forwarded(client=peer, ignored=names, reasons=found.reasons)
    assert set(names) == set(found.reasons)


@given(HEADER_LISTS.filter(lambda headers: all(name != b"x-forwarded-for" for name, _ in headers)))
def test_no_other_header_changes_the_client_that_x_forwarded_for_names(
    headers: list[tuple[bytes, bytes]],
) -> None:
    extended = [*headers, (b"x-forwarded-for", b"6.6.6.6, 192.0.2.1")]

    found = resolve_forwarded(headers=extended, peer=("127.0.0.1", 9), scheme="http", trusted=LOCAL)

    assert found.client == ("192.0.2.1", 0)
