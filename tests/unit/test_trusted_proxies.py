"""Peers are trusted by address, as asked for, and never by mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.errors import UsageError
from stlaunch.forwarded import TrustedProxies


@pytest.mark.parametrize(
    ("texts", "peer", "expected"),
    [
        pytest.param(["none"], "127.0.0.1", False, id="none, loopback"),
        pytest.param(["none"], None, False, id="none, unix"),
        pytest.param([], "127.0.0.1", False, id="nothing given"),
        pytest.param(["loopback"], "127.8.9.1", True, id="loopback v4"),
        pytest.param(["loopback"], "::1", True, id="loopback v6"),
        pytest.param(["loopback"], "::ffff:127.0.0.1", True, id="mapped loopback"),
        pytest.param(["loopback"], "10.0.0.1", False, id="loopback, private"),
        pytest.param(["loopback"], None, False, id="loopback, unix"),
        pytest.param(["unix"], None, True, id="unix"),
        pytest.param(["unix"], "", False, id="unix, empty address"),
        pytest.param(["private"], "10.255.0.1", True, id="10/8"),
        pytest.param(["private"], "172.31.0.1", True, id="172.16/12"),
        pytest.param(["private"], "172.32.0.1", False, id="beyond 172.16/12"),
        pytest.param(["private"], "192.168.1.1", True, id="192.168/16"),
        pytest.param(["private"], "169.254.1.1", True, id="link-local v4"),
        pytest.param(["private"], "fd00::1", True, id="unique local"),
        pytest.param(["private"], "fe80::1%eth0", True, id="link-local v6 with zone"),
        pytest.param(["private"], "::ffff:10.0.0.1", True, id="mapped private"),
        pytest.param(["private"], "100.64.0.1", False, id="carrier-grade NAT"),
        pytest.param(["private"], "127.0.0.1", False, id="private, loopback"),
        pytest.param(["PRIVATE"], "10.0.0.1", True, id="upper case"),
        pytest.param(["192.0.2.7"], "192.0.2.7", True, id="address"),
        pytest.param(["192.0.2.7"], "192.0.2.8", False, id="next address"),
        pytest.param(["10.1.0.0/16"], "10.1.255.1", True, id="network"),
        pytest.param(["10.1.0.0/16"], "10.2.0.1", False, id="outside the network"),
        pytest.param(["2001:db8::/32"], "2001:DB8::7", True, id="IPv6 network"),
        pytest.param(["::ffff:10.0.0.0/104"], "10.1.2.3", True, id="mapped network"),
        pytest.param(["::/0"], "::ffff:10.0.0.1", False, id="all of IPv6 is not IPv4"),
        pytest.param(["192.0.2.7, unix", "::1"], None, True, id="list, unix"),
        pytest.param(["192.0.2.7, unix", "::1"], "::1", True, id="second option"),
        pytest.param(["private"], "testclient", False, id="junk peer"),
        pytest.param(["private"], "10.0.0.1:80", False, id="peer with port"),
        pytest.param(["private"], "10.0.0.1%x", False, id="IPv4 with zone"),
        pytest.param(["private"], 167772161, False, id="number"),
    ],
)
def test_membership(texts: list[str], peer: object, expected: bool) -> None:
    assert (peer in TrustedProxies.parse(texts)) is expected


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        pytest.param("*", "Give the proxy's address", id="asterisk"),
        pytest.param("10.1.2.3/16", "10.1.0.0/16", id="host bits"),
        pytest.param("fe80::1/64", "fe80::/64", id="host bits v6"),
        pytest.param("::ffff:10.0.0.0/8", "::/8", id="mapped network that would be most of v6"),
        pytest.param("10.0.0.1:80", "address: 10.0.0.1", id="port"),
        pytest.param("[::1]:80", "address: ::1", id="brackets and port"),
        pytest.param("fe80::1%eth0", "Write fe80::1", id="zone"),
        pytest.param("proxy.local", "names are not looked up", id="name"),
        pytest.param("10.0.0.0/33", "names are not looked up", id="prefix too long"),
        pytest.param("", "Write none", id="nothing"),
        pytest.param("loopback,,unix", "Write none", id="gap in a list"),
        pytest.param("loopback none", "names are not looked up", id="space for a comma"),
    ],
)
def test_a_bad_entry_is_named_with_a_hint(entry: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrustedProxies.parse([entry])

    assert repr(entry) in caught.value.message or "," in entry
    assert hint in caught.value.hint


def test_the_hint_for_an_asterisk_offers_no_other_way_to_trust_everybody() -> None:
    with pytest.raises(UsageError) as caught:
        TrustedProxies.parse(["*"])

    assert "/0" not in caught.value.hint


@pytest.mark.parametrize("texts", [["none", "unix"], ["10.0.0.1,NONE"]])
def test_none_stands_alone(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="'none' together"):
        TrustedProxies.parse(texts)


@pytest.mark.parametrize(
    ("trusted", "shown"),
    [
        pytest.param(TrustedProxies.parse(["none", "none"]), "none", id="none"),
        pytest.param(TrustedProxies(), "none", id="empty"),
        pytest.param(
            TrustedProxies.parse(["UNIX,10.0.0.7/32", "10.1.0.0/16,unix"]),
            "unix, 10.0.0.7, 10.1.0.0/16",
            id="as given, each once",
        ),
        pytest.param(TrustedProxies.default(in_container=False), "loopback, unix", id="machine"),
        pytest.param(
            TrustedProxies.default(in_container=True), "loopback, unix, private", id="container"
        ),
    ],
)
def test_str_is_for_the_banner(trusted: TrustedProxies, shown: str) -> None:
    assert str(trusted) == shown


@pytest.mark.parametrize("in_container", [False, True])
def test_default_trusts_private_peers_inside_a_container_alone(in_container: bool) -> None:
    trusted = TrustedProxies.default(in_container=in_container)

    assert "127.0.0.1" in trusted
    assert None in trusted
    assert ("172.17.0.1" in trusted) is in_container
    assert trusted.is_default_container is in_container
    assert "192.0.2.1" not in trusted


def test_default_trusts_further_peers_of_a_platform() -> None:
    trusted = TrustedProxies.default(in_container=True, others=("private", "100.64.0.0/10"))

    assert "100.64.0.3" in trusted
    assert "100.128.0.1" not in trusted
    assert str(trusted) == "loopback, unix, private, 100.64.0.0/10"
    assert trusted.is_default_container


def test_what_was_asked_for_is_no_default() -> None:
    assert not TrustedProxies.parse(["loopback,unix,private"]).is_default_container


@given(st.text(st.sampled_from("0123456789abf:.%/[]")) | st.text() | st.none() | st.binary())
def test_membership_never_raises(peer: object) -> None:
    assert peer not in TrustedProxies.parse(["192.0.2.7"]) or peer == "192.0.2.7"


@given(st.ip_addresses(v=4))
def test_a_mapped_peer_is_the_ipv4_peer(address: object) -> None:
    trusted = TrustedProxies.default(in_container=True)

    assert (f"::ffff:{address}" in trusted) is (str(address) in trusted)


@given(st.lists(st.text(st.sampled_from("0123456789abf:./%,* ")) | st.text(), max_size=3))
def test_parse_raises_nothing_but_usage_errors_with_a_hint(texts: list[str]) -> None:
    hint = "nothing to say"
    try:
        trusted = TrustedProxies.parse(texts)
    except UsageError as error:
        hint = error.hint
    else:
        assert TrustedProxies.parse([str(trusted)]).networks == trusted.networks

    assert hint
