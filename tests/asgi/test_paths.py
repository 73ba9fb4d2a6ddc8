"""One canonical path, whatever the proxy did to it; redirects go out relative."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.gateway.middleware.relative_redirects import relative_location
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import LearnedPaths, PrefixRule, PublicPaths
from tests.asgi.driver import LOOPBACK, STRANGER, Recorder, make, request

PREFIXES = ["", "/app", "/user/jane-doe", "/a.b/c~d", "/%40x"]


def _known(*paths: str, mounts: tuple[str, ...] = ()) -> PublicPaths:
    return PublicPaths(
        known=tuple(BasePath(path) for path in paths),
        mounts=tuple(BasePath(path) for path in mounts),
    )


def _make(app: Recorder, *paths: str, **changes: Any) -> Any:
    facts: dict[str, Any] = {"paths": _known(*paths), "app_base": BasePath(paths[0])}
    return make(app, **(facts | changes))


@pytest.mark.parametrize("mode", ["kept", "stripped", "doubled"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_script_gets_its_public_path(prefix: str, mode: str) -> None:
    """A script has its path in `server.baseUrlPath`: it always sees the public one."""
    app = Recorder()
    base = BasePath(prefix)
    front = {"kept": base.decoded, "stripped": "", "doubled": "/"}[mode]

    request(_make(app, prefix), front + "/media/x.png")

    assert app.last["path"] == base.decoded + "/media/x.png"
    assert app.last["raw_path"] == (prefix + "/media/x.png").encode()
    assert app.last["root_path"] == ""


@pytest.mark.parametrize("mode", ["kept", "stripped"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_asgi_target_gets_a_root_path(prefix: str, mode: str) -> None:
    """FastAPI and Starlette take the public path from ASGI, with the full path."""
    app = Recorder()
    base = BasePath(prefix)
    front = base.decoded if mode == "kept" else ""

    request(_make(app, prefix, uses_root_path=True, mounts=lambda: ()), front + "/items")

    assert app.last["root_path"] == base.decoded
    assert app.last["path"] == base.decoded + "/items"


def test_a_longer_name_is_not_below_the_path() -> None:
    """`/apple` is not under `/app`."""
    app = Recorder()

    request(_make(app, "/app"), "/apple")

    assert app.last["path"] == "/app/apple"


def test_encoded_slash_is_left_alone() -> None:
    """`%2F` in the raw path stays what it is."""
    app = Recorder()

    request(_make(app, "/app"), "/app/media/a/b", raw_path=b"/app/media/a%2Fb")

    assert app.last["raw_path"] == b"/app/media/a%2Fb"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/app", "app/"),
        ("/app/second_page/", "../second_page"),
        ("/second_page/", "../second_page"),
        ("/app/second_page//", "../../second_page"),
    ],
)
def test_slashes_are_fixed_by_relative_redirects(path: str, location: str) -> None:
    """A base without its slash, and a page with one, redirect without naming host or prefix."""
    answer = request(_make(Recorder(), "/app"), path, query=b"x=1")

    assert (answer.status, answer.header("location")) == (307, location + "?x=1")


@pytest.mark.parametrize(
    "path",
    ["/app/x/_stcore/health", "/x/_stcore/health", "/app/x/static/js/a.js", "/x/_stlaunch/check"],
)
def test_nothing_is_served_below_another_path(path: str) -> None:
    """A proxy's path rules cannot be walked around, and no page takes a wrong base."""
    app = Recorder()

    assert request(_make(app, "/app"), path).status == 404
    assert not app.scopes


@pytest.mark.parametrize("path", ["s", "s/x", "*", "../x", "http://app.test/app/", "app"])
@pytest.mark.parametrize("rule", list(PrefixRule))
def test_a_target_without_a_slash_is_no_path_below_the_base(path: str, rule: PrefixRule) -> None:
    """`GET s`, appended to the base, would be `/apps`."""
    app = Recorder()
    paths = PublicPaths(known=(BasePath("/app"),), rule=rule)

    assert request(_make(app, "/app", paths=paths), path).status == 404
    assert not app.scopes


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/a/media/x", "/a/media/x"),
        ("/b/media/x", "/a/media/x"),
        ("/half/media/x", "/a/media/x"),
        ("/media/x", "/a/media/x"),
    ],
)
def test_several_public_paths_and_a_mount_path(path: str, canonical: str) -> None:
    """Each given path is the app; the first one is the app's own."""
    app = Recorder()
    paths = _known("/a", "/b", mounts=("/half",))

    request(_make(app, "/a", paths=paths), path)

    assert app.last["path"] == canonical


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ("http://127.0.0.1:8501/app/page2", "page2"),
        ("/app/page2?x=1#y", "page2?x=1#y"),
        ("/app/", "./"),
        ("https://login.example/authorize?a=/app", "https://login.example/authorize?a=/app"),
        ("/elsewhere", "/elsewhere"),
    ],
)
def test_redirects_of_the_app_go_out_relative(given: str, location: str) -> None:
    """No Host can mislead a redirect; another site's address stays."""
    app = Recorder(status=302, response_headers=[(b"location", given.encode())])
    wrapped = _make(app, "/app", uses_root_path=False)

    answer = request(wrapped, "/app/media/x", [("host", "127.0.0.1:8501")])

    expected = location if "://" in location or location == "/elsewhere" else f"../{location}"
    assert answer.header("location") == expected.replace(".././", "../")


@pytest.mark.parametrize(
    ("client", "path"), [(LOOPBACK, "/media/x"), (STRANGER, "/app/media/x")], ids=["proxy", "other"]
)
def test_prefix_header_counts_from_a_trusted_peer_only(client: tuple[str, int], path: str) -> None:
    """X-Forwarded-Prefix names the public path for its own request, if a proxy sent it."""
    app = Recorder()
    wrapped = make(app, paths=PublicPaths(), app_base=BasePath())

    request(wrapped, "/app/media/x", [("x-forwarded-prefix", "/app")], client=client)

    assert app.last["path"] == path


def _learning(*restored: str) -> tuple[Any, Recorder, LearnedPaths]:
    app, learned = Recorder(), LearnedPaths()
    learned.restore(BasePath(path) for path in restored)
    paths = PublicPaths(is_learning=True, learned=learned)
    wrapped = make(app, paths=paths, app_base=BasePath())
    return wrapped, app, learned


def test_a_loaded_page_teaches_its_path() -> None:
    """The page script's own request tells where the app is reached."""
    wrapped, app, learned = _learning()

    before = request(wrapped, "/app/_stcore/health").status
    request(wrapped, "/app/_stlaunch/page.js")
    request(wrapped, "/app/_stcore/health")

    assert before == 404
    assert learned.paths == (BasePath("/app"),)
    assert app.last["path"] == "/_stcore/health"


def test_a_scanner_teaches_nothing_by_guessing() -> None:
    """A file that does not exist, or another address, is no evidence."""
    wrapped, _, learned = _learning()

    for path in ("/wp/static/js/evil.js", "/wp/_stcore/health", "/wp/static/css/a.css", "/wp/x"):
        request(wrapped, path)

    assert learned.paths == ()


def test_a_scanner_that_comes_first_cannot_keep_the_real_path_out() -> None:
    """The set is bounded, and a path that is used stays."""
    wrapped, _, learned = _learning()

    for index in range(100):
        request(wrapped, f"/junk{index}/_stlaunch/page.js")
    for _ in range(2):
        request(wrapped, "/app/_stlaunch/page.js")
    for index in range(100):
        request(wrapped, f"/more{index}/_stlaunch/page.js")

    assert BasePath("/app") in learned.paths
    assert len(learned.paths) <= 32


def test_a_restart_remembers() -> None:
    """An open tab asks for no files: its first request after a restart is the health check."""
    wrapped, app, _ = _learning("/app")

    request(wrapped, "/app/_stcore/health")

    assert app.last["path"] == "/_stcore/health"


def test_an_unknown_folder_is_a_base() -> None:
    """`/app/`, kept by a proxy that no setting mentions, is the app's front page."""
    wrapped, app, _ = _learning()

    request(wrapped, "/app/")

    assert app.last["path"] == "/"


def test_uvicorns_root_path_counts_once() -> None:
    """`uvicorn --root-path /app` and `--behind-proxy /app` mean the same."""
    app = Recorder()

    request(_make(app, "/app"), "/app/media/x", root_path="/app")

    assert (app.last["root_path"], app.last["path"]) == ("", "/app/media/x")


@pytest.mark.parametrize(
    ("prefix", "path", "location"),
    [
        ("/app", "/app/Caf\u00e9/", "../Caf%C3%A9"),
        ("/app", "/app/\u0441\u0442\u0440/", "../%D1%81%D1%82%D1%80"),
        ("/app", "/app/a?b/", "../a%3Fb"),
        ("/a:b", "/a:b", "./a:b/"),
        ("/%40x", "/@x", "@x/"),
        ("/caf%C3%A9", "/caf\u00e9", "caf%C3%A9/"),
    ],
    ids=["latin", "cyrillic", "question-mark", "colon", "at", "encoded-base"],
)
def test_a_redirect_is_a_url_again(prefix: str, path: str, location: str) -> None:
    """ASGI's path is decoded; a page may have a name in any script (`pages/1_Caf\u00e9.py`)."""
    answer = request(_make(Recorder(), prefix), path, raw_path=b"/x")

    assert (answer.status, answer.header("location")) == (307, location)


@pytest.mark.parametrize(
    "location", ["http://[x", "//[", ""], ids=["bad-address", "bad-host", "empty"]
)
def test_a_broken_redirect_of_the_app_passes(location: str) -> None:
    """An unreadable path is passed to the app; it is no error of ours."""
    app = Recorder(status=302, response_headers=[(b"location", location.encode())])

    answer = request(_make(app, "/app"), "/app/media/x", [("host", "app.test")])

    assert answer.header("location") == location


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:8501/caf%C3%A9/p%20q", "/caf%C3%A9/p%20q"],
    ids=["from-host", "path"],
)
def test_an_encoded_base_is_known_in_a_redirect(location: str) -> None:
    """Location is encoded where ASGI's path is not; the inner address never leaks."""
    app = Recorder(status=302, response_headers=[(b"location", location.encode())])
    wrapped = _make(app, "/caf%C3%A9")

    answer = request(wrapped, "/media/x", [("host", "127.0.0.1:8501")], raw_path=b"/media/x")

    assert answer.header("location") == "../p%20q"


FOLDERS = st.lists(st.sampled_from(["a", "b", "p%20q", "x:y", "c.d"]), max_size=3)


@given(front=FOLDERS, here=FOLDERS, there=FOLDERS, slash=st.booleans(), query=st.booleans())
def test_a_relative_redirect_leads_where_the_absolute_one_did(
    front: list[str], here: list[str], there: list[str], *, slash: bool, query: bool
) -> None:
    """From the address that the browser shows, it is the same page below the public path."""
    base = "".join(f"/{name}" for name in front)
    rest = "/" + "/".join(here)
    target = "/" + "/".join(there) + ("/" if slash and there else "") + ("?x=/1" if query else "")

    relative = relative_location(
        f"http://inner:1{base}{target}",
        host="inner:1",
        front=BasePath(base).decoded,
        rest=BasePath(rest).decoded,
    )

    assert "inner" not in relative
    assert urljoin(f"https://public.test/seen{rest}", relative) == (
        f"https://public.test/seen{target}"
    )
