"""Where the page's redirects lead: to a better address, to one of its pages, or to a login."""

from __future__ import annotations

import socket

import anyio
import pytest

from stlaunch.check.diagnosis import Diagnosis, diagnose
from stlaunch.check.observations import Observations
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from tests.check.cases import answer, page
from tests.check.hostile import Behaviour, closed_at_once, hostile_server, with_page
from tests.check.recording import GONE, recorded

APP = with_page(closed_at_once)


def redirecting(places: dict[str, str], *, below: str = "", pages: dict[str, str]) -> Behaviour:
    """Return a server that redirects some paths, serves some pages, and the app below a path."""

    def behave(connection: socket.socket, head: str) -> None:
        path = head.split(" ")[1]
        if path in places:
            status, text = f"302 Found\r\nLocation: {places[path]}", ""
        elif path in pages:
            status, text = "200 OK\r\nContent-Type: text/html", pages[path]
        elif path.startswith(f"{below}/") and path != f"{below}/Dashboard/_stcore/health":
            return APP(connection, head)
        else:
            status, text = "404 Not Found", "Not Found"
        length = f"Content-Length: {len(text)}\r\nConnection: close"
        return connection.sendall(f"HTTP/1.1 {status}\r\n{length}\r\n\r\n{text}".encode())

    return behave


def check(behave: Behaviour, path: str = "/") -> tuple[Observations, Diagnosis]:
    with hostile_server(behave) as port:
        target = Target.parse(f"http://127.0.0.1:{port}{path}")
        seen = anyio.run(observe, CheckOptions(target=target, timeout_s=20))
    return seen, diagnose(seen)


def codes(diagnosis: Diagnosis) -> set[str]:
    return {one.code for head in diagnosis.findings for one in (head, *head.consequences)}


@pytest.mark.parametrize("base", ["", "/app"])
def test_a_redirect_to_one_of_the_app_s_pages_is_not_taken_for_its_base(base: str) -> None:
    """`/` of a multipage app leads to /Dashboard, and health is still at the root."""
    places = {f"{base}/": f"{base}/Dashboard"}
    seen, diagnosis = check(redirecting(places, below=base, pages={}), f"{base}/")

    assert seen.base_path == base
    assert seen.http["page"].url.endswith(f"{base}/Dashboard")
    assert not codes(diagnosis) & {"STL201", "STL202", "STL205"}


def test_a_redirect_to_the_app_itself_moves_the_check() -> None:
    seen, _ = check(redirecting({"/": "/app/"}, below="/app", pages={}))

    assert seen.base_path == "/app"
    assert [one.status for one in seen.redirects] == [302]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        pytest.param("/login?next=/", "<input type='password'>", id="form"),
        pytest.param("/login?next=/", "<div id='root'></div>", id="form-of-a-script"),
        pytest.param("/oauth2/start?rd=%2F", "<title>Sign in</title>", id="oauth2-proxy"),
    ],
)
def test_a_login_at_the_root_is_called_one(place: str, text: str) -> None:
    """Its address was asked for with a slash and without its query, and answered 404."""
    seen, diagnosis = check(redirecting({"/": place}, below="/none", pages={place: text}))

    assert seen.base_path == ""
    assert seen.http["page"].url.endswith(place)
    assert diagnosis.findings[0].code == "STL121"


def test_a_login_of_another_site_is_seen_by_the_way_to_it() -> None:
    places = {"/": "/oauth2/start?rd=%2F", "/oauth2/start?rd=%2F": "https://id.test/x"}
    _, diagnosis = check(redirecting(places, below="/none", pages={}))

    assert diagnosis.findings[0].code == "STL121"


def test_a_redirect_to_a_login_page_that_is_missing_is_no_login() -> None:
    patch = {"redirects": [{"url": "https://app.example.test/app/", "status": 302,
                            "headers": [["location", "/login"]]}]}  # fmt: skip
    diagnosis = diagnose(recorded(page(404, "<title>404 Not Found</title>") | patch))

    assert diagnosis.findings[0].code == "STL123"


def test_https_without_the_prefix_is_a_redirect_that_loses_it() -> None:
    """http://host/app/ to https://host/: the base silently became empty."""
    patch = {"host": "app.example.test",
             "redirects": [{"url": "http://app.example.test/app/", "status": 301,
                            "headers": [["location", "https://app.example.test/"]]}]}  # fmt: skip

    assert "STL205" in codes(diagnose(recorded(patch)))


ENCODED = "/user/jane%40example.com/proxy/8501"


@pytest.mark.parametrize(
    ("location", "is_lost"),
    [
        pytest.param(f"{ENCODED}/", False, id="as-it-was"),
        pytest.param("/user/jane@example.com/proxy/8501/", False, id="decoded"),
        pytest.param("/user/jane%40example.com/", True, id="lost"),
    ],
)
def test_an_encoded_prefix_is_recognised_in_redirects(location: str, is_lost: bool) -> None:
    patch = {
        "base_path": ENCODED,
        "url": f"https://app.example.test{ENCODED}/",
        **answer("bare", 308),
        "http.bare.headers": [["location", location]],
        "http.bare.url": f"https://app.example.test{ENCODED}",
        "host": "app.example.test",
        "http.deep_slash": GONE,
    }

    assert ("STL205" in codes(diagnose(recorded(patch)))) is is_lost


@pytest.mark.parametrize("spelling", [ENCODED, "/user/jane@example.com/proxy/8501"])
def test_an_encoded_prefix_is_the_same_however_the_app_spells_it(spelling: str) -> None:
    same = {"base_path": ENCODED, "self_check.base_path.this_request": f"{spelling}/"}
    other = same | {"self_check.base_path.this_request": "/user/joe/"}

    assert "STL407" not in codes(diagnose(recorded(same)))
    assert "STL407" in codes(diagnose(recorded(other)))
