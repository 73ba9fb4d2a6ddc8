"""Paths, origins and hosts, and forwarding headers: what is believed is plain."""

from __future__ import annotations

import re
from collections.abc import Hashable
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from stlaunch.errors import UsageError
from stlaunch.forwarded import TrustedProxies, resolve_forwarded
from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.gateway.origin_policy import ACCEPTING, Evidence, OriginPolicy, decide
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, Origin, PublicUrl
from tests.fuzz.target import Target
from tests.fuzz.wire import read_headers

_PLAIN = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)*", re.ASCII)
_PROXY = TrustedProxies.parse(["loopback"])


def _check_path(path: BasePath) -> None:
    """Hold a path to what a browser makes of it: nothing leads out of it, or to another host."""
    assert _PLAIN.fullmatch(path.value), path
    segments = unquote(path.value).split("/")[1:]
    assert not {"", ".", ".."} & set(segments), path
    assert not any(char in segment for segment in segments for char in "/\\\0\r\n\t"), path
    split = urlsplit("https://app.test" + path.with_slash)
    assert (split.netloc, split.path) == ("app.test", path.with_slash), path
    assert BasePath.parse(path.value) == path == BasePath.parse_forwarded(path.value or "/")


def base_paths(data: bytes) -> Hashable:
    """Read a path as a user, a header and a URL give it."""
    text = data.decode("latin-1")
    found: list[object] = []
    forwarded = BasePath.parse_forwarded(text)
    if forwarded is not None:
        _check_path(forwarded)
    for parse in (BasePath.parse, PublicUrl.parse):
        try:
            parsed = parse(text)
        except UsageError as exc:
            found.append(str(exc)[-24:])
            continue
        path = parsed.base_path if isinstance(parsed, PublicUrl) else parsed
        _check_path(path)
        found.append(path.depth)
    rest = BasePath("/app").strip_from(unquote(text))
    assert rest is None or rest == "" or rest.startswith("/")
    return (forwarded is None, *found)


def origins(data: bytes) -> Hashable:
    """Let in what is the same host, in another reading of both headers too."""
    origin, _, host = data.decode("latin-1").partition("\n")
    parsed, place = Origin.parse(origin), HostPort.parse(host)
    if place is not None:
        assert HostPort.parse(str(place)) == place
    if parsed is not None:
        assert Origin.parse(str(parsed)) == parsed
        assert parsed.scheme in {"http", "https"}
        assert not re.search(r"[/\\?#@\s\x00-\x20]", parsed.host)
    rules = []
    for site in (None, "same-origin", "same-site", "cross-site", origin):
        evidence = Evidence(origin=origin, host=place, scheme=None, fetch_site=site)
        rule = decide(OriginPolicy(), evidence)
        rules.append(rule)
        if rule in ACCEPTING:
            assert site in {None, "same-origin"}, site
            # What a browser would make of the two.
            page, value = urlsplit(origin), host.strip(" \t")
            asked = urlsplit(f"{page.scheme}://{value}")
            assert (page.hostname or "").rstrip(".") == (asked.hostname or "").rstrip(".")
            usual = {"http": 80, "https": 443}[page.scheme]
            assert (page.port or usual) == (asked.port or usual)
    return (parsed is None, place is None, *rules)


def forwarding(data: bytes) -> Hashable:
    """Believe nothing of a stranger, and of a proxy only what is an address, a host or a path."""
    headers = read_headers(data)
    stranger = resolve_forwarded(
        headers=headers, peer=("203.0.113.9", 1), scheme="http", trusted=_PROXY, path="/x"
    )
    assert stranger.client == ("203.0.113.9", 1)
    assert (stranger.scheme, stranger.host, stranger.prefix) == (None, None, None)
    assert stranger.believed == ()
    assert not stranger.is_peer_trusted
    seen = resolve_forwarded(
        headers=headers, peer=("127.0.0.1", 1), scheme="http", trusted=_PROXY, path="/x/y"
    )
    if seen.client is not None:
        ip_address(seen.client[0])
        assert 0 <= seen.client[1] <= 65535
    assert seen.scheme in {None, "http", "https"}
    if seen.host is not None:
        assert HostPort.parse(str(seen.host)) == seen.host
    if seen.prefix is not None:
        _check_path(seen.prefix)
    assert not set(seen.believed) & set(seen.ignored)
    names = {name for name, _ in headers}
    there = {name.lower().encode() for name in (*seen.believed, *seen.ignored)}
    assert there <= names & FORWARDING_HEADERS
    return (seen.client is None, seen.scheme, seen.host is None, seen.prefix is None,
            seen.hops, seen.believed, *sorted(set(seen.reasons.values())))  # fmt: skip


TARGETS = (
    Target(
        name="base-path",
        promise="a path is refused, or leads to its own host and below itself",
        run=base_paths,
        seeds=(
            b"/streamlitApp",
            b"app/",
            b"/",
            b"https://app.test/user/jane-doe/",
            b"/a.b/c~d/%40x",
            b"https://xn--bcher-kva.example:8443/app",
        ),
        tokens=(b"https://", b"http://[::1]:80", b"%2e%2e", b"%2F", b"/app", b"evil.test"),
    ),
    Target(
        name="origin",
        promise="only the same host is let in, and never what the browser calls another site",
        run=origins,
        seeds=(
            b"https://app.test\napp.test",
            b"http://app.test:8080\napp.test:8080",
            b"http://[2001:db8::1]:80\n[2001:db8::1]",
            b"null\napp.test",
            b"https://evil.test\napp.test",
        ),
        tokens=(b"app.test", b"evil.test", b"app.test.evil.test", b"http://", b":443", b"[::1]"),
    ),
    Target(
        name="forwarding",
        promise="a stranger is not believed, and a proxy only where it is plain",
        run=forwarding,
        seeds=(
            b"x-forwarded-for: 192.0.2.1, 127.0.0.1\nx-forwarded-proto: https\nhost: app.test",
            b'forwarded: for="[2001:db8::1]:4711";proto=https;host=app.test;by=_x',
            b"x-forwarded-host: app.test\nx-forwarded-port: 8443\nx-forwarded-prefix: /a,/b",
            b"x-original-uri: /app/x/y?z\nx-real-ip: 192.0.2.7\nx-scheme: wss",
            b"x-forwarded-ssl: on\nrstudio-connect-app-base-url: https://h/app/",
        ),
        tokens=(
            *(name + b": " for name in sorted(FORWARDING_HEADERS)),
            *(b"\n", b"for=", b"proto=", b"host=", b"127.0.0.1", b"::ffff:127.0.0.1", b"unknown"),
            *(b"_hidden", b"[::1]", b"https", b"/x/y"),
        ),
    ),
)
