"""A base path is one plain absolute path, however it was written."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stlaunch.errors import UsageError
from stlaunch.urls.base_path import BasePath

PATHISH = st.text(st.sampled_from("/ab.%2fFeE05cC\\?#:@[ \tä"), max_size=24) | st.text(max_size=24)
SEGMENTS = st.text(min_size=1, max_size=8).filter(
    lambda text: (
        text not in {".", ".."}
        and not any(ord(char) < 0x20 or ord(char) == 0x7F or char in "/\\" for char in text)
    )
)


def parsed(text: str) -> BasePath | None:
    try:
        return BasePath.parse(text)
    except UsageError:
        return None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing is the root"),
        pytest.param("/", "", id="root"),
        pytest.param("/streamlitApp", "/streamlitApp", id="usual"),
        pytest.param("streamlitApp/", "/streamlitApp", id="as streamlit writes it"),
        pytest.param("/a/b/", "/a/b", id="two segments"),
        pytest.param("/%40x", "/%40x", id="percent-encoded"),
        pytest.param("/a..b/...", "/a..b/...", id="dots that climb nowhere"),
        pytest.param("/a:b;c=d,e@f~g", "/a:b;c=d,e@f~g", id="all kinds of pchar"),
    ],
)
def test_parse_accepts(text: str, expected: str) -> None:
    assert str(BasePath.parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("//evil.example", "empty segment", id="another host"),
        pytest.param("/a//b", "empty segment", id="empty segment"),
        pytest.param("/a/../b", "dot segment", id="dots"),
        pytest.param("/a/%2e%2E", "dot segment", id="encoded dots"),
        pytest.param("/a/.%2e", "dot segment", id="half-encoded dots"),
        pytest.param("/./a", "dot segment", id="one dot"),
        pytest.param("/a\\b", "backslash", id="backslash"),
        pytest.param("/a%5cb", "encoded separator", id="encoded backslash"),
        pytest.param("/a%2Fb", "encoded separator", id="encoded slash"),
        pytest.param("/a%00", "encoded separator or control", id="encoded NUL"),
        pytest.param("/a%1b", "encoded separator or control", id="encoded escape"),
        pytest.param("/a\nb", "control character", id="line feed"),
        pytest.param("/a\x7f", "control character", id="DEL"),
        pytest.param("/a?b", "query", id="query"),
        pytest.param("/a#b", "fragment", id="fragment"),
        pytest.param("/a b", "cannot hold", id="space"),
        pytest.param("/ä", "cannot hold", id="not ASCII"),
        pytest.param("/a%4", "cannot hold", id="cut escape"),
        pytest.param("https://example.com/a", "empty segment", id="URL"),
        pytest.param("http://[", "empty segment", id="URL that urlsplit raises for"),
        pytest.param("/" + "a" * 512, "longer than", id="too long"),
    ],
)
def test_parse_refuses_with_the_reason_and_a_hint(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        BasePath.parse(text)

    assert caught.value.hint
    assert BasePath.parse_forwarded(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(" /app/\t", BasePath("/app"), id="surrounding space"),
        pytest.param("/", BasePath(), id="root"),
        pytest.param("app", None, id="relative"),
        pytest.param("", None, id="nothing"),
        pytest.param("javascript:alert(1)", None, id="scheme"),
        pytest.param("/\\evil.example", None, id="backslash as a second slash"),
    ],
)
def test_parse_forwarded(text: str, expected: BasePath | None) -> None:
    assert BasePath.parse_forwarded(text) == expected


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        pytest.param("/app", "/app/x", "/x", id="below"),
        pytest.param("/app", "/app/", "/", id="with slash"),
        pytest.param("/app", "/app", "", id="without slash"),
        pytest.param("/app", "/apple", None, id="same first letters"),
        pytest.param("/app", "/App/x", None, id="another case"),
        pytest.param("/app", "/x/app", None, id="elsewhere"),
        pytest.param("/", "/x", "/x", id="root"),
        pytest.param("/", "x", None, id="not absolute"),
        pytest.param("/%40x", "/@x/y", "/y", id="decoded"),
        pytest.param("/%40x", "/%40x/y", None, id="encoded twice"),
    ],
)
def test_strip_from(base: str, path: str, expected: str | None) -> None:
    assert BasePath.parse(base).strip_from(path) == expected


@pytest.mark.parametrize(
    ("text", "decoded", "depth", "with_slash"),
    [
        pytest.param("/", "", 0, "/", id="root"),
        pytest.param("/%40x/y", "/@x/y", 2, "/%40x/y/", id="encoded"),
    ],
)
def test_forms(text: str, decoded: str, depth: int, with_slash: str) -> None:
    base = BasePath.parse(text)

    assert (base.decoded, base.depth, base.with_slash) == (decoded, depth, with_slash)


def test_joined_puts_the_other_path_below() -> None:
    assert BasePath("/a").joined(BasePath("/b")) == BasePath("/a/b")
    assert BasePath().joined(BasePath("/b")) == BasePath("/b").joined(BasePath()) == BasePath("/b")


@given(PATHISH)
@example(" //[")
def test_parse_gives_a_plain_path_or_a_usage_error(text: str) -> None:
    base = parsed(text)

    if base is not None:
        assert base == BasePath.parse(str(base)) == BasePath.parse(base.with_slash)
        assert base.value == "" or base.value.startswith("/")
        for form in (base.value, base.decoded):
            assert "//" not in form
            assert "\\" not in form
            assert not {".", ".."} & set(form.split("/"))
        assert base.depth == base.decoded.count("/")


@given(PATHISH)
def test_parse_forwarded_is_never_more_generous_than_parse(text: str) -> None:
    base = BasePath.parse_forwarded(text)

    assert base is None or base == parsed(text.strip(" \t"))


@given(st.lists(SEGMENTS, max_size=4), st.text(max_size=8))
def test_strip_from_undoes_putting_the_base_in_front(segments: list[str], rest: str) -> None:
    base = BasePath.parse("/" + "/".join(quote(segment, safe="") for segment in segments))

    assert base.strip_from(f"{base.decoded}/{rest}") == "/" + rest
    assert base.strip_from(f"{base.decoded}le/{rest}") is None
