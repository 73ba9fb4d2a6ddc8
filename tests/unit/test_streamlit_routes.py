"""The kind of a path is decided once, by exact names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import (
    DIAGNOSTICS,
    SECRET_PATHS,
    UPLOAD,
    RequestKind,
    base_of_page_file,
    classify,
    split_page_address,
)

ROOT = [BasePath()]


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("", "page", ""),
        ("/", "page", ""),
        ("/second_page", "page", ""),
        ("/_stlaunchx", "page", ""),
        ("/_stcore/stream", "stream", ""),
        ("/_stcore/health", "health", ""),
        ("/_stcore/upload_file/a/b", "upload", ""),
        ("/static/js/index.js", "asset", ""),
        ("/_stcore/host-config", "streamlit", ""),
        ("/media/x.png", "streamlit", ""),
        ("/favicon.png", "streamlit", ""),
        ("/oauth2callback", "streamlit", ""),
        ("/_stlaunch/tunnel", "tunnel", ""),
        ("/_stlaunch/tunnel/one.two", "tunnel", "one.two"),
        ("/_stlaunch/upload", "pieces", ""),
        ("/_stlaunch/upload/one.two", "pieces", "one.two"),
        ("/_stlaunch/token", "token", ""),
        ("/_stlaunch/page.js", "page script", ""),
        ("/_stlaunch", "self-check", ""),
        ("/_stlaunch/", "self-check", ""),
        ("/_stlaunch/check", "self-check", "check"),
        ("/_stlaunch/no-such", "self-check", "no-such"),
        ("/_stcore/stlaunch/tunnel", "tunnel", ""),
        ("/_stcore/stlaunch/tunnel/one.two", "tunnel", "one.two"),
        ("/_stcore/stlaunch/upload/one.two", "pieces", "one.two"),
        ("/_stcore/stlaunch/token", "token", ""),
        ("/_stcore/upload_file/stlaunch/tunnel", "tunnel", ""),
        ("/_stcore/upload_file/stlaunch/upload/one.two", "pieces", "one.two"),
        ("/_stcore/upload_file/stlaunch/token", "token", ""),
        ("/static/stlaunch/page.js", "page script", ""),
        ("/static/stlaunch/start.js", "page script", "start.js"),
    ],
)
def test_each_path_has_one_kind(path: str, kind: str, name: str) -> None:
    route = classify(path, ROOT)

    assert (route.kind, route.name) == (kind, name)
    assert route.streamlit_path == path


@pytest.mark.parametrize(
    "path",
    [
        "/_stlaunch//check",
        "/_stlaunch/check/",
        "/_stlaunch/check//",
        "/_stlaunch/ws//",
        "/_stlaunch/tunnel/",
        "/_stlaunch/tunnel/one/two",
        "/_stlaunch/token/",
        "/_stlaunch/page.js/x",
        "/_stcore/stlaunch/",
        "/_stcore/stlaunch//token",
        "/_stcore/stlaunch/page.js",
        "/_stcore/stlaunch/tunnel/one/two",
        "/_stcore/upload_file/stlaunch/file",
        "/static/stlaunch/",
        "/static/stlaunch/token",
        "/static/stlaunch/tunnel",
        "/static/stlaunch/start.js/",
        "/page/_stcore/stlaunch/token",
        "/page/_stcore/stream",
        "/page/_stlaunch/check",
        "/page/static/js/index.js",
        "/_stcore/stream\n",
        "/_stlaunch/check\n",
    ],
)
def test_another_spelling_is_an_alias(path: str) -> None:
    """A proxy's rule for one of these paths would not see it: it is served nowhere."""
    assert classify(path, ROOT).kind is RequestKind.ALIAS


@pytest.mark.parametrize("front", ["/_stcore/stlaunch/", UPLOAD + "stlaunch/", "/static/stlaunch/"])
def test_no_diagnostic_page_is_below_a_path_of_streamlits(front: str) -> None:
    """What a proxy closes below `/_stlaunch/` is open nowhere else; nor is anything unknown."""
    names = (*DIAGNOSTICS, "", "health", "ready", "no-such", "_stlaunch/check")

    assert {classify(front + name, ROOT).kind for name in names} == {RequestKind.ALIAS}


def test_ids_below_a_path_of_streamlits_are_secret() -> None:
    """The access log shows none, wherever they are."""
    for front in ("/_stlaunch/", "/_stcore/stlaunch/", UPLOAD + "stlaunch/"):
        for name in ("tunnel", "upload"):
            assert any(f"{front}{name}/".startswith(secret) for secret in SECRET_PATHS)


def test_outside_streamlit_only_the_self_check_is_ours() -> None:
    mounts = [BasePath("/dashboard")]

    assert classify("/items", mounts).kind is RequestKind.NOT_OURS
    assert classify("/_stcore/stream", mounts).kind is RequestKind.NOT_OURS
    assert classify("/dashboard/_stcore/stream", mounts).kind is RequestKind.STREAM
    assert classify("/_stlaunch/check", mounts).name == "check"
    assert classify("/_stlaunch/tunnel", mounts).kind is RequestKind.SELF_CHECK
    assert classify("/_stlaunch//check", mounts).kind is RequestKind.ALIAS
    assert classify("/items\n", mounts).kind is RequestKind.ALIAS


@pytest.mark.parametrize(
    ("path", "mounts", "base"),
    [
        ("/_stlaunch/page.js", [""], ""),
        ("/app/_stlaunch/page.js", [""], "/app"),
        ("/app/static/stlaunch/page.js", [""], "/app"),
        ("/app/static/js/index.a.js", [""], "/app"),
        ("/app/static/js/missing.js", [""], None),
        ("/app/in/st/_stlaunch/page.js", ["/st", "/in/st"], "/app"),
        ("/st/static/js/index.a.js", ["/st"], ""),
        ("/app/_stlaunch/page.js", ["/st"], None),
        ("/app/xst/_stlaunch/page.js", ["/st"], None),
        ("/app/_stlaunch/page.js", [], None),
        ("/a b/_stlaunch/page.js", [""], None),
    ],
)
def test_a_file_of_a_page_shows_what_precedes_the_mount(
    path: str, mounts: list[str], base: str | None
) -> None:
    """The mount is the app's own: it is no part of the public path."""
    places = [BasePath(mount) for mount in mounts]

    found = base_of_page_file(path, places, lambda name: name == "js/index.a.js")

    assert found == (None if base is None else BasePath(base))


@pytest.mark.parametrize(
    ("path", "mounts", "expected"),
    [
        ("/app/", [""], ("/app", "/")),
        ("/app//", [""], ("/app", "/")),
        ("/", [""], None),
        ("/app", [""], None),
        ("/app/st/", ["/st"], ("/app", "/st/")),
        ("/st/", ["/st"], None),
        ("/items/", ["/st"], None),
        ("/items/", [], None),
        ("/x/_stlaunch/", [""], None),
        ("/_stcore/", [""], None),
        ("/a//b/", [""], None),
    ],
)
def test_a_pages_address_is_split_at_its_mount(
    path: str, mounts: list[str], expected: tuple[str, str] | None
) -> None:
    """Nothing else that ends in a slash is a page."""
    found = split_page_address(path, [BasePath(mount) for mount in mounts])

    assert found == (None if expected is None else (BasePath(expected[0]), expected[1]))


PARTS = st.sampled_from(
    ["_stcore", "_stlaunch", "stream", "check", "tunnel", "upload", "static", "x", "", "\n", "."]
)


@given(st.lists(PARTS, max_size=5))
def test_what_is_ours_never_reaches_the_app(parts: list[str]) -> None:
    """Whatever holds `_stlaunch` as a segment is an endpoint's exact name, or an alias."""
    path = "/" + "/".join(parts)
    kind = classify(path, ROOT).kind

    if "/_stlaunch/" in path:
        assert kind not in {RequestKind.PAGE, RequestKind.STREAMLIT, RequestKind.NOT_OURS} or (
            path.startswith(("/_stcore/", "/static/"))
        )
