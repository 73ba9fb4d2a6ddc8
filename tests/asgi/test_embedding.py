"""The app in a frame of another site: cookies, frame-ancestors, and the refusal otherwise."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stlaunch.gateway.middleware.embedding import for_frames
from stlaunch.gateway.origin_policy import OriginProof, new_cookie_id
from stlaunch.urls.origin import Origin
from tests.asgi.driver import SECRET, handshake, make, request

PORTAL = Origin("https", "portal.example", 443)


def _cookies(_request: Request) -> Response:
    response = HTMLResponse("<html></html>")
    response.set_cookie("_streamlit_xsrf", "x", samesite="lax", path="/")
    response.set_cookie("__Host-stlaunch", "y", samesite="lax", secure=True, httponly=True)
    response.set_cookie("theirs", "z", samesite="lax")
    return response


def _refused(_request: Request) -> Response:
    return PlainTextResponse("no", 403)


def make_embedded(
    *, is_embedded: bool = True, ancestors: tuple[Origin, ...] = (PORTAL,)
) -> ASGIApp:
    """The whole stack around an app that sets cookies and refuses uploads."""
    inner = Starlette(
        routes=[
            Route("/app/", _cookies),
            Route("/app/_stcore/upload_file/{rest:path}", _refused, methods=["PUT"]),
        ]
    )
    return make(inner, is_embedded=is_embedded, frame_ancestors=ancestors)


@pytest.mark.parametrize(
    "headers", [[("x-forwarded-proto", "https")], []], ids=["https", "scheme not forwarded"]
)
def test_our_cookies_are_set_for_frames_and_no_other(headers: list[tuple[str, str]]) -> None:
    answer = request(make_embedded(), "/app/", headers)
    cookies = {
        value.partition("=")[0]: value for name, value in answer.headers if name == "set-cookie"
    }

    for name in ("_streamlit_xsrf", "__Host-stlaunch"):
        assert cookies[name].endswith("; Secure; SameSite=None; Partitioned")
        assert cookies[name].lower().count("samesite") == 1
        assert cookies[name].lower().count("secure") == 1
    assert "HttpOnly" in cookies["__Host-stlaunch"]
    assert "SameSite=lax" in cookies["theirs"]
    assert answer.header("content-security-policy") == (
        "frame-ancestors 'self' https://portal.example"
    )


def test_plain_http_keeps_its_cookies_which_could_not_be_secure() -> None:
    answer = request(make_embedded(), "/app/", [("x-forwarded-proto", "http")])
    assert "Partitioned" not in str(answer.headers)


def test_without_the_setting_nothing_changes() -> None:
    answer = request(make_embedded(is_embedded=False, ancestors=()), "/app/")

    assert "Partitioned" not in str(answer.headers)
    assert answer.header("content-security-policy") is None


def test_a_platforms_frame_forbids_no_other_site() -> None:
    answer = request(make_embedded(ancestors=()), "/app/")

    assert "Partitioned" in str(answer.headers)
    assert answer.header("content-security-policy") is None


def test_a_refused_upload_without_its_cookie_says_why_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_embedded(is_embedded=False, ancestors=())

    for _ in range(2):
        request(app, "/app/_stcore/upload_file/a/b", method="PUT")

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("STL510 An upload came without the app's cookies")
    assert "--embed-in" in lines[0]


def test_a_checks_own_upload_without_a_cookie_is_no_users(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_embedded(is_embedded=False, ancestors=())
    path = "/app/_stcore/upload_file/a/b"

    answer = request(app, path, method="PUT", headers=[("x-stlaunch", "check")])

    assert (answer.status, caplog.records) == (403, [])


def test_a_refused_upload_with_its_cookie_is_another_matter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_embedded(is_embedded=False, ancestors=())
    cookie = [("cookie", "_streamlit_xsrf=x")]
    request(app, "/app/_stcore/upload_file/a/b", cookie, method="PUT")
    assert not caplog.records


def test_cookies_are_known_by_their_exact_names() -> None:
    assert for_frames(b"stlaunchx=1; SameSite=Lax") == b"stlaunchx=1; SameSite=Lax"


def test_a_handshake_without_the_cookie_of_its_token_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The 403 line of a page in a frame: it has a token, its browser sends no cookie."""
    app = make_embedded(is_embedded=False, ancestors=())
    token = OriginProof(SECRET).token("__Host-stlaunch", new_cookie_id())

    status, _ = handshake(
        app,
        "/app/_stcore/stream",
        [("host", "127.0.0.1:8501"), ("origin", "https://app.example")],
        protocols=["streamlit", f"stlaunch.{token}"],
    )

    lines = [record.getMessage() for record in caplog.records]
    assert status == 403
    assert [line.partition(" ")[0] for line in lines] == ["STL501", "STL510"]
    assert "--embed-in" in lines[1]
