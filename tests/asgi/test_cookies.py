"""The app's login cookies: names of their own in the browser, Streamlit's own names in the app."""

from __future__ import annotations

import pytest

from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths
from tests.asgi.driver import Recorder, handshake, make, request

HOST = [("host", "app.test")]
MARK = ".f53b52ad"  # of /app


def sent_by(cookie: str, *, known: tuple[BasePath, ...] = (BasePath("/app"),)) -> str | None:
    app = Recorder(response_headers=[(b"set-cookie", cookie.encode())])
    base = known[0] if known else BasePath()
    wrapped = make(app, paths=PublicPaths(known=known), app_base=base)
    return request(wrapped, f"{base}/media/x", HOST).header("set-cookie")


@pytest.mark.parametrize(
    ("cookie", "sent"),
    [
        (
            "_streamlit_user=a=b; Path=/app; HttpOnly",
            f"_streamlit_user{MARK}=a=b; Path=/app; HttpOnly",
        ),
        ("_streamlit_user_tokens_1=x; Path=/", f"_streamlit_user_tokens_1{MARK}=x; Path=/"),
        ("_streamlit_session=x; path=/", f"_streamlit_session{MARK}=x; path=/"),
        ("_streamlit_xsrf=2|x; Path=/", "_streamlit_xsrf=2|x; Path=/"),
        ("mine=_streamlit_user=1", "mine=_streamlit_user=1"),
    ],
    ids=["user", "chunk", "session", "xsrf", "own"],
)
def test_login_cookies_are_renamed(cookie: str, sent: str) -> None:
    assert sent_by(cookie) == sent


@pytest.mark.parametrize("known", [(), (BasePath(),)], ids=["unknown", "root"])
def test_without_a_path_nothing_is_renamed(known: tuple[BasePath, ...]) -> None:
    cookie = "_streamlit_user=x; Path=/"

    assert sent_by(cookie, known=known) == cookie


@pytest.mark.parametrize(
    "front", ["\xa0", "\x85", "\x1c", "\x0b", "\xe3\x80\x80", "\xe2\x80\xa8", '"', "\xad"]
)
@pytest.mark.parametrize("mark", ["", MARK])
def test_no_odd_name_overrides_the_login(front: str, mark: str) -> None:
    """What a lenient reader strips from a name does not make it another one for us."""
    app = Recorder()
    odd = [f"{front}_streamlit_user{mark}=evil", f"_streamlit_user{front}{mark}=evil"]
    cookies = "; ".join([f"_streamlit_user{MARK}=mine", *odd, "a=1"])

    request(make(app), "/app/media/x", [*HOST, ("cookie", cookies)])

    assert dict(app.last["headers"])[b"cookie"] == b"_streamlit_user=mine; a=1"


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_app_sees_its_own_login_alone(kind: str) -> None:
    """Those of the app at the root and of another path stay out; all others pass unchanged."""
    app = Recorder()
    own = f"_streamlit_user{MARK}=mine; _streamlit_user_1{MARK}=more"
    foreign = "_streamlit_user=root; _streamlit_session.00000000=other"
    cookies = f"a=1; {foreign}; {own}; _streamlit_xsrf=2|x; b=a=b;c"
    headers = [*HOST, ("origin", "http://app.test"), ("cookie", cookies)]
    if kind == "http":
        request(make(app), "/app/media/x", headers)
    else:
        handshake(make(app), headers=headers)

    seen = dict(app.last["headers"])[b"cookie"].decode()
    assert (
        seen == "a=1; _streamlit_user=mine; _streamlit_user_1=more; _streamlit_xsrf=2|x; b=a=b; c"
    )
