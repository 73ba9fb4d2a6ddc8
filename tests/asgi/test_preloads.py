"""Which scripts pages report as used, and which of them later visitors preload."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.streamlit_adapter import internals
from tests.asgi.driver import Answer, Headers, make, request

HOST = [("host", "app.test")]
OWN = [*HOST, ("x-stlaunch", "1")]
STATIC = Path(internals.static_folder())
INDEX = (STATIC / "index.html").read_bytes()
SCRIPTS = sorted(
    file.name for file in (STATIC / "static" / "js").glob("*.js") if file.name.encode() not in INDEX
)


def _script(name: str) -> str:
    return next(script for script in SCRIPTS if script.startswith(f"{name}."))


SLIDER, TEXT, BUTTON = _script("Slider"), _script("TextInput"), _script("Button")


async def _page(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": INDEX})


@pytest.fixture
def app() -> ASGIApp:
    return make(_page)


def _report(
    app: ASGIApp,
    *used: str,
    page: str = "/",
    client: str = "203.0.113.9",
    headers: Headers = OWN,
) -> Answer:
    words = urlencode({"v": "1", "i": "2", "used": " ".join(used), "page": page})
    path = "/app/_stlaunch/page.js"
    return request(app, path, headers, query=words.encode(), client=(client, 50000))


def _ahead(app: ASGIApp, path: str = "/app/") -> list[str]:
    body = request(app, path, HOST).body.decode()
    found = re.search(r' data-preload="([^"]*)"', body)
    return found[1].split() if found else []


def test_a_page_is_given_what_was_used_there(app: ASGIApp) -> None:
    answer = _report(app, SLIDER, TEXT)
    _report(app, BUTTON, page="/report/")

    assert (answer.status, answer.body) == (200, b"")
    assert (answer.header("cache-control") or "").startswith("no-store")
    assert _ahead(app) == [SLIDER, TEXT]
    assert _ahead(app, "/app/report") == [BUTTON]
    assert _ahead(app, "/app/other") == []


def test_only_what_all_of_the_last_three_clients_used(app: ASGIApp) -> None:
    for number, used in enumerate([[TEXT], [SLIDER, TEXT, BUTTON], [TEXT, SLIDER]]):
        _report(app, *used, client=f"192.0.2.{number}")
    assert _ahead(app) == [TEXT]

    _report(app, SLIDER, TEXT, client="192.0.2.3")
    assert _ahead(app) == [SLIDER, TEXT]


def test_one_client_has_one_report(app: ASGIApp) -> None:
    """However often a stranger says it, the next visitor's page takes it back."""
    for _ in range(10):
        _report(app, BUTTON, TEXT, client="192.0.2.66")
    _report(app, TEXT, SLIDER)

    assert _ahead(app) == [TEXT]


@pytest.mark.parametrize(
    "headers",
    [HOST, [*OWN, ("sec-fetch-site", "cross-site")], [*OWN, ("sec-fetch-site", "same-site")]],
    ids=["no header", "another site", "a sibling"],
)
def test_other_sites_teach_nothing(app: ASGIApp, headers: Headers) -> None:
    assert _report(app, SLIDER, headers=headers).status == 403
    assert _ahead(app) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../../_stlaunch/check.js",
        "https://evil.test/x.js",
        "//evil.test/x.js",
        '"><script>alert(1)</script>.js',
        f"./{SLIDER}",
        f"{SLIDER}?x=1",
        SLIDER.upper(),
        "Slider.00000000.js",
        "..",
        "",
    ],
)
def test_only_files_of_streamlit_are_named(app: ASGIApp, name: str) -> None:
    _report(app, name, TEXT)

    assert _ahead(app) == [TEXT]


def test_scripts_that_the_page_names_itself_are_left_out(app: ASGIApp) -> None:
    (entry,) = re.findall(rb'src="\./static/js/([^"]+)"', INDEX)
    own = re.findall(rb'rel="modulepreload"[^>]* href="\./static/js/([^"]+)"', INDEX)
    _report(app, entry.decode(), *(name.decode() for name in own[:5]), TEXT)

    assert _ahead(app) == [TEXT]


def test_a_report_is_bounded(app: ASGIApp) -> None:
    """In number, in size of the files, and as a request."""
    folder = STATIC / "static" / "js"
    by_size = sorted(SCRIPTS, key=lambda name: -(folder / name).stat().st_size)
    _report(app, *by_size[:20])
    large = _ahead(app)
    _report(app, *by_size[-80:])
    small = _ahead(app)
    _report(app, TEXT, *["x" * 100] * 100)

    assert 0 < sum((folder / name).stat().st_size for name in large) <= 8_000_000
    assert small == by_size[-80:][:64]
    assert _ahead(app) == small


def test_the_pages_are_bounded_and_those_in_use_stay(app: ASGIApp) -> None:
    _report(app, SLIDER)
    _report(app, SLIDER, page="/unused")
    for number in range(63):
        _report(app, BUTTON, page=f"/{number}/{'x' * 1000}")
        assert _ahead(app) == [SLIDER]

    assert _ahead(app, "/app/unused") == []


@pytest.mark.parametrize("changed", ["app.py", "pages/more.py"])
def test_an_app_whose_files_changed_starts_anew(app: ASGIApp, tmp_path: Path, changed: str) -> None:
    (tmp_path / "pages").mkdir()
    for name in ("app.py", "pages/more.py"):
        (tmp_path / name).write_text("", encoding="utf-8")
    with internals.restored_configuration():
        internals.set_main_script(tmp_path / "app.py")
        _report(app, SLIDER)
        before = _ahead(app)
        os.utime(tmp_path / changed, (1, 1))

        assert (before, _ahead(app)) == ([SLIDER], [])


def test_an_app_whose_script_is_gone_still_gets_its_page(app: ASGIApp, tmp_path: Path) -> None:
    with internals.restored_configuration():
        internals.set_main_script(tmp_path / "gone.py")
        _report(app, SLIDER)

        assert _ahead(app) == [SLIDER]


def test_a_report_says_nothing_about_the_way_to_the_app(app: ASGIApp) -> None:
    """A preload is no visit: it counts as no page, and no path is learned from it."""
    headers = [*OWN, ("referer", "http://elsewhere.test/app/")]
    _report(app, SLIDER, headers=headers)
    report = request(app, "/app/_stlaunch/check", HOST)

    assert b"elsewhere.test" not in report.body
