"""Hosts, origins and public URLs are read once, or refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stlaunch.errors import UsageError
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, Origin, PublicUrl, is_url

HOSTISH = st.text(st.sampled_from("aZ09.-_:[]@/% \t"), max_size=20) | st.text(max_size=20)
NAMES = st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,9}(\.[a-z0-9][a-z0-9-]{0,9}){0,3}", fullmatch=True)
HOSTS = NAMES | st.ip_addresses().map(str)
PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Example.COM", HostPort("example.com"), id="case"),
        pytest.param("example.com.:80", HostPort("example.com", 80), id="final dot"),
        pytest.param(" a:1\t", HostPort("a", 1), id="surrounding space"),
        pytest.param("my_host", HostPort("my_host"), id="underscore"),
        pytest.param("192.0.2.1:8443", HostPort("192.0.2.1", 8443), id="IPv4"),
        pytest.param("[2001:DB8::1]", HostPort("2001:db8::1"), id="IPv6"),
        pytest.param("[::1]:65535", HostPort("::1", 65535), id="IPv6 and port"),
        pytest.param("", None, id="nothing"),
        pytest.param("2001:db8::1", None, id="IPv6 without brackets"),
        pytest.param("[::1", None, id="open bracket"),
        pytest.param("[::1]8", None, id="no colon before the port"),
        pytest.param("[::1]:", None, id="IPv6 with an empty port"),
        pytest.param("[fe80::1%eth0]", None, id="zone"),
        pytest.param("[a]", None, id="name in brackets"),
        pytest.param("a:", None, id="empty port"),
        pytest.param("a:0", None, id="port 0"),
        pytest.param("a:65536", None, id="port too high"),
        pytest.param("a:٣", None, id="digits of another script"),
        pytest.param("a b", None, id="space"),
        pytest.param("a..b", None, id="empty label"),
        pytest.param(".a", None, id="dot first"),
        pytest.param("-a", None, id="hyphen first"),
        pytest.param("user@a", None, id="user information"),
        pytest.param("a/b", None, id="path"),
        pytest.param("a, b", None, id="list"),
        pytest.param("a" * 64, None, id="label too long"),
        pytest.param("a." * 127, None, id="name too long"),
        pytest.param(
            "a" * 63 + "!",
            None,
            id="hostile to a backtracking matcher",
            marks=pytest.mark.timeout(5),
        ),
    ],
)
def test_host_port_parse(text: str, expected: HostPort | None) -> None:
    assert HostPort.parse(text) == expected


@pytest.mark.parametrize(
    ("place", "scheme", "expected"),
    [
        pytest.param(HostPort("a"), "http", 80, id="http"),
        pytest.param(HostPort("a"), "https", 443, id="https"),
        pytest.param(HostPort("a", 8501), "https", 8501, id="written"),
        pytest.param(HostPort("a"), "ftp", None, id="unknown scheme"),
    ],
)
def test_port_or_default(place: HostPort, scheme: str, expected: int | None) -> None:
    assert place.port_or_default(scheme) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("https://a", Origin("https", "a", 443), id="default port"),
        pytest.param("HTTP://A:80", Origin("http", "a", 80), id="case, port written"),
        pytest.param("http://[::1]:8501", Origin("http", "::1", 8501), id="IPv6"),
        pytest.param("null", None, id="opaque"),
        pytest.param("", None, id="nothing"),
        pytest.param("ws://a", None, id="ws"),
        pytest.param("file://", None, id="file"),
        pytest.param("https://a/", None, id="path"),
        pytest.param("https://a b", None, id="space"),
        pytest.param("https:// a", None, id="space before the host"),
        pytest.param("https://good@evil", None, id="user information"),
        pytest.param("https://", None, id="no host"),
    ],
)
def test_origin_parse(text: str, expected: Origin | None) -> None:
    assert Origin.parse(text) == expected


def test_origin_setting_may_end_with_a_slash() -> None:
    assert Origin.parse_setting(" https://a.example/ ") == Origin("https", "a.example", 443)


@pytest.mark.parametrize("text", ["a.example", "*", "https://a/b", ""])
def test_origin_setting_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Origin.parse_setting(text)

    assert "https://" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        pytest.param("https://a/app", "https://a", "/app", id="usual"),
        pytest.param("HTTPS://A:443", "https://a", "", id="no path"),
        pytest.param(" http://a:8080/x/y/ ", "http://a:8080", "/x/y", id="port and slash"),
    ],
)
def test_public_url_parse(text: str, origin: str, path: str) -> None:
    url = PublicUrl.parse(text)

    assert (str(url.origin), url.base_path) == (origin, BasePath(path))
    assert str(url) == f"{origin}{path}/"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/app", id="path"),
        pytest.param("a.example/app", id="no scheme"),
        pytest.param("ftp://a/app", id="another scheme"),
        pytest.param("https://user@a/app", id="user information"),
        pytest.param("https://a/app?x", id="query"),
        pytest.param("https://a?x", id="query without path"),
        pytest.param("https://a/app#x", id="fragment"),
        pytest.param("https://a//b", id="empty segment"),
        pytest.param("https://[/a", id="open bracket"),
    ],
)
def test_public_url_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        PublicUrl.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("https://a/b", True, id="https"),
        pytest.param("HTTP://a", True, id="upper case"),
        pytest.param("http://[", True, id="malformed, but meant as one"),
        pytest.param("/a/b", False, id="path"),
        pytest.param("a", False, id="segment"),
        pytest.param("ftp://a", False, id="another scheme"),
    ],
)
def test_is_url(text: str, expected: bool) -> None:
    assert is_url(text) is expected


@given(HOSTS, PORTS | st.none())
def test_host_port_round_trip(host: str, port: int | None) -> None:
    place = HostPort(host, port)

    assert HostPort.parse(str(place)) == place


@given(st.sampled_from(["http", "https"]), HOSTS, PORTS)
def test_origin_round_trip(scheme: str, host: str, port: int) -> None:
    origin = Origin(scheme, host, port)

    assert Origin.parse(str(origin)) == origin
    assert origin.place.port_or_default(scheme) == port


@given(HOSTISH)
@example("0" * 253 + "!")
def test_host_port_parse_is_idempotent_and_never_raises(text: str) -> None:
    place = HostPort.parse(text)

    assert place is None or HostPort.parse(str(place)) == place


@given(HOSTISH)
def test_public_url_parse_raises_nothing_but_usage_errors(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://a/{text}"):
        is_url(candidate)
        try:
            url = PublicUrl.parse(candidate)
        except UsageError:
            continue
        assert PublicUrl.parse(str(url)) == url
