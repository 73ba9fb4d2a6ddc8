"""With no path given: what is taken for a page, what is learned, and what nobody gets that way."""

from __future__ import annotations

from typing import Any

import pytest

from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths
from tests.asgi.driver import Headers, Recorder, handshake, make, request

PAGE_SCRIPT = "/_stlaunch/page.js"
PROXIED = [("x-forwarded-for", "203.0.113.9")]
CLOSED = ["/_stlaunch/check", "/_stlaunch/", "/_stlaunch/metrics", "/_stcore/metrics"]


def _script(paths: PublicPaths | None = None, **changes: Any) -> tuple[Any, Recorder, PublicPaths]:
    app, paths = Recorder(), paths or PublicPaths(is_learning=True)
    return make(app, paths=paths, app_base=BasePath(), **changes), app, paths


def _mounted(*mounts: str) -> tuple[Any, Recorder, PublicPaths]:
    """Wrap a FastAPI-like app with Streamlit below `mounts`."""
    places = tuple(BasePath(mount) for mount in mounts)
    return _script(uses_root_path=True, mounts=lambda: places)


@pytest.mark.parametrize(
    ("path", "arrives_as"),
    [
        ("/dashboard/", "/dashboard/"),
        ("/app/dashboard/", "/dashboard/"),
        ("/a/b/dashboard/", "/dashboard/"),
        ("/appdashboard/", "/appdashboard/"),
        ("/items/", "/items/"),
        ("/items/5/", "/items/5/"),
        ("/anything/", "/anything/"),
        ("/", "/"),
    ],
)
def test_only_the_address_of_a_page_is_guessed(path: str, arrives_as: str) -> None:
    """Every address that ended in a slash became `/`, whatever the app had there."""
    wrapped, app, _ = _mounted("/dashboard")

    request(wrapped, path)

    assert (app.last["root_path"], app.last["path"]) == ("", arrives_as)


@pytest.mark.parametrize("mounts", [[""], ["/dashboard"]], ids=["script", "mounted"])
@pytest.mark.parametrize("path", ["/_stlaunch/", "/x/_stlaunch/", "/_stlaunch/tunnel/"])
def test_nothing_of_ours_is_taken_for_a_page(path: str, mounts: list[str]) -> None:
    """`/_stlaunch/` is the self-check's own page, where Streamlit is mounted too."""
    wrapped, app, _ = _mounted(*mounts)

    request(wrapped, path)

    assert not [scope for scope in app.scopes if scope["path"] == "/"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_a_page_load_is_guessed(method: str) -> None:
    """`DELETE /items/5/` ran the handler of `/`."""
    wrapped, app, _ = _script()

    request(wrapped, "/items/5/", method=method)

    assert app.last["path"] == "/items/5/"


def test_no_websocket_is_guessed() -> None:
    """One to `/ws/` arrived at `/`."""
    wrapped, app, _ = _mounted("/dashboard")

    handshake(wrapped, "/ws/", [("host", "app.test"), ("origin", "http://app.test")])

    assert app.last["path"] == "/ws/"


@pytest.mark.parametrize("paths", [None, PublicPaths(known=(BasePath(),))], ids=["unknown", "root"])
def test_a_route_of_the_apps_own_is_no_page(paths: PublicPaths | None) -> None:
    """An `st.App` has its routes in Streamlit's place, with a slash at the end or without."""
    own = {"/items/", "/plain"}
    wrapped, app, _ = _script(is_own_route=lambda scope: scope["path"] in own, paths=paths)

    request(wrapped, "/items/")
    answer = request(wrapped, "/plain/")

    assert app.last["path"] == "/items/"
    assert answer.header("location") == "../plain"


@pytest.mark.parametrize("base", ["/app", "/user/jane-doe", "/media/app", "/x/static/y"])
@pytest.mark.parametrize("mount", ["", "/dashboard"], ids=["script", "mounted"])
def test_a_page_below_an_unknown_path_works_and_teaches_it(base: str, mount: str) -> None:
    """From its first address on; the mount is the app's own, not a part of the path."""
    wrapped, app, paths = _mounted(mount)

    request(wrapped, f"{base}{mount}/")
    first = app.last["path"]
    script = request(wrapped, f"{base}{mount}{PAGE_SCRIPT}").status
    request(wrapped, f"{base}{mount}/_stcore/host-config")

    assert (first, script) == (f"{mount}/", 200)
    assert paths.learned.paths == (BasePath(base),)
    assert app.last["root_path"] == base
    assert app.last["path"] == f"{base}{mount}/_stcore/host-config"


def test_a_mount_is_no_public_path() -> None:
    """Its first page taught `/dashboard`, below which the app has nothing: all of it was 404."""
    wrapped, app, paths = _mounted("/dashboard")

    scripts = [request(wrapped, f"/dashboard{PAGE_SCRIPT}").status for _ in range(2)]
    request(wrapped, "/dashboard/_stcore/host-config")

    assert scripts == [200, 200]
    assert BasePath("/dashboard") not in paths.learned.paths
    assert (app.last["root_path"], app.last["path"]) == ("", "/dashboard/_stcore/host-config")


def test_a_folder_is_a_page_where_pages_are_loaded_from_the_root() -> None:
    """`/second_page/`, as a visitor types it, is no public path there."""
    wrapped, _, paths = _script()
    request(wrapped, PAGE_SCRIPT, PROXIED)

    answer = request(wrapped, "/second_page/", PROXIED)

    assert (answer.status, answer.header("location")) == (307, "../second_page")
    assert BasePath("/second_page") not in paths.learned.paths


@pytest.mark.parametrize(
    ("real", "headers"),
    [
        pytest.param("", PROXIED, id="root"),
        pytest.param("/app", PROXIED, id="kept"),
        pytest.param("/app", [], id="kept-by-a-proxy-that-adds-no-header"),
    ],
)
@pytest.mark.parametrize("path", CLOSED)
def test_no_path_is_learned_below_the_one_of_real_pages(
    path: str, real: str, headers: Headers
) -> None:
    """`/x/_stlaunch/page.js` was enough for a way around each path that the proxy closes."""
    wrapped, app, paths = _script()
    request(wrapped, real + PAGE_SCRIPT, headers)

    request(wrapped, f"{real}/x{PAGE_SCRIPT}", headers)

    assert request(wrapped, f"{real}/x{path}", headers).status == 404
    assert not app.scopes
    assert BasePath(f"{real}/x") not in paths.learned.paths


@pytest.mark.parametrize("path", CLOSED)
def test_a_path_that_was_learned_first_opens_nothing_once_real_pages_are_loaded(path: str) -> None:
    """After a restart a visitor may come before the first page."""
    wrapped, app, _ = _script()
    request(wrapped, f"/x{PAGE_SCRIPT}", PROXIED)
    request(wrapped, PAGE_SCRIPT, PROXIED)

    assert request(wrapped, f"/x{path}", PROXIED).status == 404
    assert not app.scopes
    assert request(wrapped, "/x/_stcore/host-config", PROXIED).status == 200  # pages stay


@pytest.mark.parametrize("path", CLOSED)
def test_a_visitors_prefix_header_opens_nothing_where_pages_are_loaded_without(path: str) -> None:
    """A proxy that does not set the header passes on what a visitor sends."""
    wrapped, app, _ = _script()
    request(wrapped, PAGE_SCRIPT, PROXIED)

    answer = request(wrapped, f"/x{path}", [*PROXIED, ("x-forwarded-prefix", "/x")])

    assert answer.status == 404
    assert not app.scopes


def test_only_a_page_load_teaches() -> None:
    """No page posts to its script, nor opens a WebSocket there."""
    wrapped, _, paths = _script()

    request(wrapped, f"/app{PAGE_SCRIPT}", method="POST")
    handshake(wrapped, f"/app{PAGE_SCRIPT}")

    assert paths.learned.paths == ()


def test_a_page_that_was_opened_past_the_proxy_decides_nothing() -> None:
    """Whoever looks at the app on its port first does not lock out the proxy's visitors."""
    wrapped, _, paths = _script()
    request(wrapped, PAGE_SCRIPT)

    request(wrapped, f"/app{PAGE_SCRIPT}", PROXIED)

    assert BasePath("/app") in paths.learned.paths
    assert request(wrapped, "/app/_stlaunch/check", PROXIED).status == 200


def test_many_invented_paths_do_not_hide_the_real_one() -> None:
    """What is noted is bounded; the real path is above all that a visitor can invent."""
    wrapped, _, paths = _script()
    for number in range(100):
        request(wrapped, f"/app/junk{number}{PAGE_SCRIPT}", PROXIED)
    request(wrapped, f"/app{PAGE_SCRIPT}", PROXIED)

    request(wrapped, f"/app/x{PAGE_SCRIPT}", PROXIED)

    assert BasePath("/app/x") not in paths.learned.paths


def test_an_earlier_processs_path_keeps_no_new_one_out() -> None:
    """The proxy may have been changed meanwhile: a restart is what the log asks for."""
    wrapped, _, paths = _script()
    paths.learned.restore([BasePath("/app"), BasePath()])

    request(wrapped, f"/app/v2{PAGE_SCRIPT}", PROXIED)

    assert BasePath("/app/v2") in paths.learned.paths
