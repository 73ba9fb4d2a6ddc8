"""The public path as proxies tell it: every prefix header, and headers with the original path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.forwarded import FORWARDING_HEADERS, Forwarded, TrustedProxies, resolve_forwarded
from stlaunch.urls.base_path import BasePath

LOCAL = TrustedProxies.parse(["loopback"])


def resolve(*lines: str, path: str = "/", peer: str = "127.0.0.1") -> Forwarded:
    pairs = (line.partition(": ") for line in lines)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, _, value in pairs]
    return resolve_forwarded(
        headers=headers, peer=(peer, 9), scheme="http", trusted=LOCAL, path=path
    )


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Prefix",
        "X-Script-Name",
        "X-Ingress-Path",
        "X-ProxyContextPath",
        "X-Forwarded-Context",
        "X-RStudio-Root-Path",
        "RStudio-Connect-App-Base-URL",
    ],
)
def test_every_prefix_header_is_read_and_forged_ones_are_refused(name: str) -> None:
    assert resolve(f"{name}: /a/b/").prefix == BasePath("/a/b")
    for forged in ("//evil.example", "/../x", "/\\evil.example", "javascript:alert(1)", "/a b"):
        assert resolve(f"{name}: {forged}").prefix is None
    assert resolve(f"{name}: /a/b/", peer="192.0.2.1").prefix is None


def test_posit_connect_sends_a_url_of_which_the_path_counts() -> None:
    found = resolve("RStudio-Connect-App-Base-URL: https://connect.example.com/content/7b0c/")
    assert found.prefix == BasePath("/content/7b0c")
    assert found.host is None


ORIGINALS = (
    "X-Original-URI",
    "X-Envoy-Original-Path",
    "X-Replaced-Path",
    "X-Forwarded-Uri",
    "X-Original-URL",
)


@pytest.mark.parametrize("name", ORIGINALS)
def test_every_original_path_header_is_read(name: str) -> None:
    found = resolve(f"{name}: /app/page2?x=/page2", path="/page2")

    assert found.prefix == BasePath("/app")
    assert found.believed == (name,)


@pytest.mark.parametrize(
    ("original", "path", "expected"),
    [
        pytest.param("/app/", "/", "/app", id="front page"),
        pytest.param("/app", "/", "/app", id="front page, slash added"),
        pytest.param("/a/b/_stcore/health", "/_stcore/health", "/a/b", id="deep"),
        pytest.param("/app/x#y", "/x", "/app", id="fragment"),
        pytest.param("https://h.example/app/x", "/x", "/app", id="URL"),
        pytest.param("/app/%40x", "/@x", "/app", id="encoded"),
        pytest.param("/%40app/x", "/x", "/%40app", id="encoded prefix"),
        pytest.param("/app/x", "/app/x", None, id="kept"),
        pytest.param("/", "/", None, id="root"),
        pytest.param("/app/y", "/x", None, id="another path"),
        pytest.param("/appx", "/x", None, id="not a whole segment"),
        pytest.param("/app%2Fx", "/x", None, id="encoded slash"),
        pytest.param("//evil.example/x", "/x", None, id="another host"),
        pytest.param("/../app/x", "/x", None, id="dots"),
        pytest.param("/a\\b/x", "/x", None, id="backslash"),
        pytest.param("javascript:alert(1)//x", "/x", None, id="scheme"),
        pytest.param("/" + "a" * 5000 + "/x", "/x", None, id="too long"),
        pytest.param("/app/x", "", None, id="path not known"),
    ],
)
def test_the_prefix_is_what_stood_in_front_of_the_path(
    original: str, path: str, expected: str | None
) -> None:
    found = resolve(f"X-Original-URI: {original}", path=path).prefix
    assert found == (None if expected is None else BasePath(expected))


def test_a_prefix_header_goes_before_an_original_path() -> None:
    found = resolve("X-Forwarded-Prefix: /a", "X-Original-URI: /b/x", path="/x")

    assert found.prefix == BasePath("/a")
    assert "not needed" in found.reasons["X-Original-URI"]


def test_two_different_original_paths_prove_nothing() -> None:
    lines = ("X-Original-URI: /a/x", "X-Original-URI: /b/x")
    assert resolve(*lines, path="/x").prefix is None


def test_an_untrusted_peer_sets_no_path() -> None:
    assert resolve("X-Original-URI: /a/x", path="/x", peer="192.0.2.1").prefix is None


def test_underscore_twins_are_not_read() -> None:
    """Go hands `X_Forwarded_Proto` on; WSGI servers merge it, and this must not."""
    found = resolve("X_Forwarded_Proto: https", "X_Forwarded_Prefix: /evil")

    assert (found.scheme, found.prefix) == (None, None)


NAMES = st.sampled_from(sorted(FORWARDING_HEADERS))
PATHS = st.text(st.sampled_from("/ab%2Fe.\\?#:@ \u00e4"), max_size=24)
HEADERS = st.lists(st.tuples(NAMES, PATHS.map(lambda text: text.encode("latin-1"))), max_size=6)


@given(HEADERS, PATHS)
def test_whatever_comes_a_plain_path_comes_out(
    headers: list[tuple[bytes, bytes]], path: str
) -> None:
    found = resolve_forwarded(
        headers=headers, peer=("127.0.0.1", 9), scheme="http", trusted=LOCAL, path=path
    )

    if found.prefix is not None:
        assert BasePath.parse(str(found.prefix)) == found.prefix
        assert "//" not in found.prefix.with_slash
        assert ".." not in found.prefix.value.split("/")


@given(HEADERS, PATHS, st.sampled_from(["192.0.2.1", "::ffff:192.0.2.1", "junk", ""]))
def test_nothing_is_believed_from_anybody_else(
    headers: list[tuple[bytes, bytes]], path: str, peer: str
) -> None:
    found = resolve_forwarded(
        headers=headers, peer=(peer, 9), scheme="http", trusted=LOCAL, path=path
    )

    assert (found.client, found.scheme, found.host, found.prefix) == ((peer, 9), None, None, None)
    assert not found.believed
