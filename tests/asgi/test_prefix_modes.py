"""Kept or stripped: once the mode is known, a doubled path bypasses no rule of a proxy."""

from __future__ import annotations

from typing import Any

import pytest

from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PrefixMode, PrefixRule, PublicPaths
from tests.asgi.driver import Recorder, make, request

APP = BasePath("/app")
PAGE_SCRIPT = "/_stlaunch/page.js"
REFERER = [("referer", "https://site.test/app/")]
BOTH = ["/app/items", "/items"]
# What a proxy that strips `/app` makes of a path with the base twice, in every spelling.
ODD_KEPT = ["//app/items", "/./app/items", "/x/../app/items", "/app\\items", "/%61pp/items"]
DOUBLED = [
    "/app/app/items",
    "/app//app/items",
    "/app/./app/items",
    "/app/x/../app/items",
    "/app/%61pp/items",
    "/app/APP/items",
    "/app/app",
    "/app/app/",
    *ODD_KEPT,
]


def _make(rule: PrefixRule = PrefixRule.AUTO, **changes: Any) -> tuple[Any, Recorder, PublicPaths]:
    """Wrap a FastAPI-like app: every path that reaches it is a route of its own."""
    app = Recorder()
    facts: dict[str, Any] = {"known": (APP,), "rule": rule}
    paths = PublicPaths(**(facts | changes))
    is_own = {"uses_root_path": True, "mounts": lambda: (BasePath("/st"),)}
    return make(app, paths=paths, app_base=BasePath(), **is_own), app, paths


def _script_app(rule: PrefixRule = PrefixRule.AUTO) -> tuple[Any, Recorder, PublicPaths]:
    app = Recorder()
    paths = PublicPaths(known=(APP,), rule=rule)
    return make(app, paths=paths, app_base=APP), app, paths


@pytest.mark.parametrize("path", BOTH)
def test_both_are_served_as_long_as_nothing_is_known(path: str) -> None:
    """The first request may be kept or stripped."""
    assert request(_make()[0], path).status == 200


@pytest.mark.parametrize("path", DOUBLED)
def test_a_doubled_path_is_never_served_before(path: str) -> None:
    """Neither mode produces one, so a visitor did."""
    wrapped, app, _ = _make()

    assert request(wrapped, path).status == 404
    assert not app.scopes


def test_an_encoded_slash_does_not_end_the_base() -> None:
    """`/app%2Fitems` is one segment to a proxy."""
    wrapped, _, _ = _make()

    assert request(wrapped, "/app/items", raw_path=b"/app%2Fitems").status == 404


@pytest.mark.parametrize("front", ["", "/app"])
@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/_stlaunch/check", "/_stlaunch%2Fcheck"),
        ("/_stlaunch/check", "/%5fstlaunch/check"),
        ("/_stlaunch/check", "/_stlaunch/%63heck"),
        ("/_stlaunch/", "/_stlaunch%2f"),
        ("/_stcore/metrics", "/_stcore%2Fmetrics"),
        ("/_stcore/metrics", "/_stcore/m%65trics"),
        ("/_stcore/health", "/_stcore%2fhealth"),
        ("/_stcore/stream", "/_stcore/strea%6D"),
        ("/_stcore/upload_file/a/b", "/_stcore/upload%5Ffile/a/b"),
    ],
)
def test_a_fixed_name_has_one_spelling(front: str, path: str, raw: str) -> None:
    """A proxy's rule for `/_stcore/metrics` may not see it in `%2F`; the app sees no difference."""
    wrapped, app, _ = _script_app()

    assert request(wrapped, front + path, raw_path=(front + raw).encode()).status == 404
    assert not app.scopes


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/app/media/a/b.png", "/app/media/a%2Fb.png"),
        ("/app/app/static/My File.png", "/app/app/static/My%20Fil%65.png"),
        ("/app/page-2", "/app/page%2D2"),
        ("/app/_stcore/host-config", "/%61pp/_stcore/host-config"),
    ],
)
def test_other_names_may_be_spelled_as_the_client_likes(path: str, raw: str) -> None:
    wrapped, app, _ = _script_app(PrefixRule.KEPT)

    assert request(wrapped, path, raw_path=raw.encode()).status == 200
    assert app.scopes


@pytest.mark.parametrize("path", ["/app/items", "/app/_stcore/metrics", "/app/media/x", *ODD_KEPT])
def test_a_page_that_arrives_stripped_decides_the_mode(path: str) -> None:
    """After one page load, a path that a visitor doubled is no way in."""
    wrapped, app, _ = _script_app()
    request(wrapped, PAGE_SCRIPT, REFERER)
    app.scopes.clear()

    assert request(wrapped, path).status == 404
    assert not app.scopes
    assert request(wrapped, "/items").status == 200


def test_a_path_is_literal_once_it_is_stripped() -> None:
    """Streamlit's own `/app/static/` keeps its address below a base of the same name."""
    wrapped, app, _ = _script_app()
    request(wrapped, PAGE_SCRIPT, REFERER)

    request(wrapped, "/app/static/a.png")

    assert app.last["path"] == "/app/app/static/a.png"


def test_an_own_route_is_found_as_the_proxy_saw_it() -> None:
    """What arrives as `/app/items` was `/app/app/items` to the proxy, and is that to the app."""
    wrapped, app, paths = _make()
    paths.seen.note(APP, PrefixMode.STRIPPED)

    request(wrapped, "/app/items")

    assert app.last["path"] == "/app/app/items"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="health-check-or-no-referrer"),
        pytest.param([("referer", "https://site.test/")], id="opened-past-the-proxy"),
        pytest.param([("referer", "https://site.test/apple/")], id="longer-name"),
        pytest.param([("referer", "https://site.test/app")], id="no-page"),
        pytest.param([("referer", "http://[x")], id="broken"),
        pytest.param([*REFERER, ("x-stlaunch", "check")], id="our-own-check"),
    ],
)
def test_what_is_no_page_below_the_path_decides_nothing(headers: list[tuple[str, str]]) -> None:
    """Otherwise a health check, or a request around the proxy, would shut visitors out."""
    wrapped, _, paths = _script_app()

    request(wrapped, PAGE_SCRIPT, headers)

    assert paths.seen[APP] is None
    assert request(wrapped, "/app/media/x").status == 200


def test_a_page_and_an_api_client_decide_nothing() -> None:
    """Only a page that runs decides: by its script's request."""
    wrapped, _, paths = _script_app()

    for path in ("/", "/items", "/app/", "/_stcore/health", "/static/js/a.js"):
        request(wrapped, path, REFERER)

    assert not paths.seen.first


def test_kept_first_keeps_both_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """A visitor can forge kept through a proxy that strips; that shuts nobody out."""
    script, _, paths = _script_app()
    request(script, "/app" + PAGE_SCRIPT, REFERER)

    for _ in range(3):
        request(script, PAGE_SCRIPT, REFERER)

    assert paths.seen[APP] is PrefixMode.KEPT
    assert [request(script, path).status for path in ("/app/media/x", "/media/x")] == [200, 200]
    assert caplog.text.count("STL214") == 1
    assert "--prefix stripped" in caplog.text


def test_a_doubled_page_is_no_evidence_of_kept() -> None:
    """Its own address shows that the proxy strips."""
    wrapped, _, paths = _script_app()

    request(wrapped, "/app" + PAGE_SCRIPT, [("referer", "https://site.test/app/app/")])

    assert paths.seen[APP] is None


def test_a_kept_page_may_have_the_name_of_the_base() -> None:
    """`/app/app` is refused only until a page was loaded below the kept path."""
    wrapped, app, _ = _script_app()
    request(wrapped, "/app" + PAGE_SCRIPT, REFERER)

    request(wrapped, "/app/app")
    assert app.last["path"] == "/app/app"
    request(wrapped, "/app/app/static/x.png")
    assert app.last["path"] == "/app/app/static/x.png"


@pytest.mark.parametrize(
    ("rule", "served"),
    [
        (PrefixRule.KEPT, {"/app/media/x"}),
        (PrefixRule.STRIPPED, {"/media/x"}),
        (PrefixRule.BOTH, {"/app/media/x", "/media/x"}),
    ],
)
def test_the_option_decides(rule: PrefixRule, served: set[str]) -> None:
    """An explicit mode holds, whatever the traffic shows."""
    wrapped, _, _ = _script_app(rule)
    request(wrapped, PAGE_SCRIPT, REFERER)
    request(wrapped, "/app" + PAGE_SCRIPT, REFERER)

    found = {path for path in ("/app/media/x", "/media/x") if request(wrapped, path).status == 200}

    assert found == served


@pytest.mark.parametrize("rule", [PrefixRule.KEPT, PrefixRule.STRIPPED])
@pytest.mark.parametrize("front", ["", "/app"])
@pytest.mark.parametrize("path", ["/_stcore/health", "/_stlaunch/health"])
def test_health_is_answered_in_both(rule: PrefixRule, front: str, path: str) -> None:
    """Health checks bypass the proxy: fixing the mode must not get the container stopped."""
    assert request(_script_app(rule)[0], front + path).status == 200


def test_a_front_page_in_the_other_form_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Switching the proxy from stripping to keeping gives 404, and says what to do."""
    wrapped, _, paths = _script_app()
    paths.seen.note(APP, PrefixMode.STRIPPED)

    with caplog.at_level("WARNING", logger="stlaunch"):
        status = request(wrapped, "/app/").status

    assert status == 404
    assert "STL214" in caplog.text
    assert "restart the app" in caplog.text


def test_each_public_path_has_its_own_mode() -> None:
    """One proxy may strip `/app`, and another keep `/b`."""
    wrapped, _, paths = _make(known=(APP, BasePath("/b")))
    paths.seen.note(APP, PrefixMode.STRIPPED)

    request(wrapped, "/b/items")
    assert paths.seen[BasePath("/b")] is None
    assert request(wrapped, "/b/items").status == 200


def test_no_path_is_learned_behind_a_proxy_that_strips() -> None:
    """`/app/x/_stlaunch/page.js` through it would teach `/x`, a second way to every page."""
    app = Recorder()
    paths = PublicPaths(is_learning=True)
    wrapped = make(app, paths=paths, app_base=BasePath())
    request(wrapped, PAGE_SCRIPT, REFERER)

    request(wrapped, "/x" + PAGE_SCRIPT)

    assert request(wrapped, "/x/_stcore/metrics").status == 404
    assert BasePath("/x") not in paths.learned.paths


DOUBLED_SLASHES = ["//_stlaunch/check", "//_stcore/metrics", "//items", "///items", "//static/x.js"]


@pytest.mark.parametrize("base", ["/app", ""], ids=["kept", "stripped"])
@pytest.mark.parametrize("rest", DOUBLED_SLASHES)
def test_a_doubled_slash_gets_around_no_rule(rest: str, base: str) -> None:
    """`/app//x` is refused as `/app/app/x` is, once a page came through the proxy without it."""
    wrapped, app, _ = _script_app()
    assert request(wrapped, base + PAGE_SCRIPT, headers=REFERER).status == 200
    seen = len(app.scopes)

    assert request(wrapped, base + rest).status == 404
    assert len(app.scopes) == seen
    assert request(wrapped, f"{base}//").status == 200
    assert request(wrapped, f"{base}//_stcore/health").status == 200  # asked by monitors


@pytest.mark.parametrize("base", ["/app", ""], ids=["kept", "stripped"])
def test_a_proxy_that_doubles_the_slash_is_served(base: str) -> None:
    """`location /app` passed to `http://up/app/` or `http://up/`; no visitor can end that."""
    wrapped, app, _ = _script_app()
    request(wrapped, f"{base}/{PAGE_SCRIPT}", headers=REFERER)
    request(wrapped, f"{base}{PAGE_SCRIPT}", headers=REFERER)

    assert request(wrapped, f"{base}//items").status == 200
    assert app.scopes[-1]["path"] == "/app/items"


def test_another_proxy_may_double_the_slash_of_the_other_form() -> None:
    wrapped, app, _ = _script_app(PrefixRule.BOTH)
    request(wrapped, f"/app{PAGE_SCRIPT}", headers=REFERER)

    assert request(wrapped, "//items").status == 200
    assert app.scopes[-1]["path"] == "/app/items"


@pytest.mark.parametrize("header", [[], [("x-forwarded-prefix", "/x")]], ids=["plain", "prefix"])
def test_a_doubled_slash_gets_around_no_rule_at_the_root(header: list[tuple[str, str]]) -> None:
    """`stlaunch app.py` knows no path: the paths of its page requests count all the same."""
    app = Recorder()
    wrapped = make(app, paths=PublicPaths(), app_base=BasePath())
    request(wrapped, PAGE_SCRIPT, headers=REFERER)

    assert request(wrapped, "/items").status == 200
    assert request(wrapped, "//items", header).status == 404
