"""Large login cookies stay with the app; a login leads back to the page that asked for it."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from stlaunch.gateway.login_store import LIFE_S, MAX_BYTES, LoginStore
from stlaunch.storage.sealed_folder import SealedFolder
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths
from tests.asgi.driver import SECRET, Recorder, handshake, make, request

HOST = [("host", "app.test")]
APP = "/app"
MARK = ".f53b52ad"  # of /app
LARGE = "x" * 3500
CALLBACK = "/app/oauth2callback"
SENT = [
    (b"set-cookie", b'_streamlit_user=""; Max-Age=0; Path=/'),
    (b"set-cookie", f"_streamlit_user={LARGE}; HttpOnly; Path=/app; SameSite=lax".encode()),
    (b"set-cookie", f"_streamlit_user_1={LARGE}; HttpOnly; Path=/app".encode()),
    (b"set-cookie", f"_streamlit_user_tokens={LARGE}; HttpOnly; Path=/app".encode()),
    (b"set-cookie", b"_streamlit_session=s; Path=/app"),
]


def _cookies(answer_headers: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in answer_headers if name == "set-cookie"]


def _arrived(app: Recorder) -> str:
    return dict(app.scopes[-1]["headers"]).get(b"cookie", b"").decode()


def test_large_cookies_are_swapped_for_a_small_one_and_back() -> None:
    app = Recorder(response_headers=SENT)
    wrapped = make(app)
    sent = _cookies(request(wrapped, CALLBACK, HOST).headers)
    small = next(text for text in sent if "stlaunch." in text)
    name, _, value = small.partition(";")[0].partition("=")
    app.response_headers = []
    handshake(
        wrapped,
        "/app/_stcore/stream",
        [*HOST, ("origin", "http://app.test"), ("cookie", f"a=1; {name}={value}")],
    )

    assert name == f"_streamlit_user{MARK}"
    assert small.endswith("; HttpOnly; Path=/app; SameSite=lax")
    assert sum(map(len, sent)) < 500
    assert f"_streamlit_session{MARK}=s; Path=/app" in sent
    assert _arrived(app) == (
        f"a=1; _streamlit_user={LARGE}; _streamlit_user_1={LARGE}; _streamlit_user_tokens={LARGE}"
    )


def test_small_cookies_stay_as_they_are() -> None:
    cookie = b"_streamlit_user=" + b"x" * 2000 + b"; Path=/app"
    app = Recorder(response_headers=[(b"set-cookie", cookie)])
    sent = _cookies(request(make(app), CALLBACK, HOST).headers)

    assert sent == [cookie.decode().replace("=", f"{MARK}=", 1)]


FORGERIES: dict[str, Callable[[str], str]] = {
    "another signature": lambda value: value[:-4] + "zzzz",
    "more behind it": lambda value: value + "0",
    "no id": lambda _: "stlaunch.",
    "another id": lambda _: "stlaunch.a.b",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_or_unknown_one_is_nobodys(forge: Callable[[str], str]) -> None:
    """The cookie is dropped: the app sees a stranger."""
    app = Recorder(response_headers=SENT)
    wrapped = make(app)
    small = next(t for t in _cookies(request(wrapped, CALLBACK, HOST).headers) if "stlaunch." in t)
    value = re.sub(r";.*", "", small).partition("=")[2]
    forged = forge(value)
    app.response_headers = []
    cookie = f"_streamlit_user{MARK}={forged}; b=2"
    request(wrapped, "/app/auth/logout", [*HOST, ("cookie", cookie)])

    assert _arrived(app) == "b=2"


def test_a_logout_forgets_it() -> None:
    app = Recorder(response_headers=SENT)
    wrapped = make(app)
    small = next(t for t in _cookies(request(wrapped, CALLBACK, HOST).headers) if "stlaunch." in t)
    cookie = ("cookie", small.partition(";")[0])
    app.response_headers = [(b"set-cookie", b'_streamlit_user=""; Max-Age=0; Path=/app')]
    request(wrapped, "/app/auth/logout", [*HOST, cookie])
    seen = _arrived(app)
    request(wrapped, "/app/auth/logout", [*HOST, cookie])

    assert LARGE in seen
    assert not _arrived(app)


def _folder(path: Path | None, secret: bytes = SECRET) -> SealedFolder:
    return SealedFolder(find_folder=lambda: path, key=secret, max_bytes=MAX_BYTES, life_s=LIFE_S)


def test_replicas_and_later_starts_share_it_by_the_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A logout on one of them ends it on all; another app of the same user is not affected."""
    caplog.set_level(logging.INFO)
    app = Recorder(response_headers=SENT)
    first = make(app, login_folder=_folder(tmp_path / "logins"))
    second = make(app, login_folder=_folder(tmp_path / "logins"))
    other = make(app, proof_secret=b"o" * 32, login_folder=_folder(tmp_path / "logins", b"o" * 32))
    small = next(t for t in _cookies(request(first, CALLBACK, HOST).headers) if "stlaunch." in t)
    cookie = ("cookie", small.partition(";")[0])
    app.response_headers = []
    seen = []
    for gateway in (second, other):
        request(gateway, "/app/auth/logout", [*HOST, cookie])
        seen.append(LARGE in _arrived(app))
    app.response_headers = [(b"set-cookie", b'_streamlit_user=""; Max-Age=0; Path=/app')]
    request(second, "/app/auth/logout", [*HOST, cookie])
    for _ in range(2):
        request(first, "/app/auth/logout", [*HOST, cookie])
        seen.append(LARGE in _arrived(app))

    assert seen == [True, False, False, False]
    assert caplog.text.count(f"they stay in {tmp_path / 'logins'}, encrypted") == 1
    assert caplog.text.count("is not stored here") == 1
    assert "on other machines cannot: send each visitor to one of them" in caplog.text


def test_without_a_folder_it_stays_in_the_process(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = Recorder(response_headers=SENT)
    wrapped = make(app, login_folder=_folder(None))
    small = next(t for t in _cookies(request(wrapped, CALLBACK, HOST).headers) if "stlaunch." in t)
    request(wrapped, "/app/auth/logout", [*HOST, ("cookie", small.partition(";")[0])])

    assert LARGE in _arrived(app)
    assert "they stay in this process (no folder can be written)" in caplog.text
    assert "After a restart, or on another replica, the visitor has to sign in" in caplog.text


def test_the_store_is_bounded_and_ends() -> None:
    now = [0.0]
    store = LoginStore(b"s" * 32, clock=lambda: now[0])
    kept = [store.keep(b"_streamlit_user=" + b"x" * 1024 * 1024) for _ in range(80)]
    now[0] = 31 * 24 * 3600.0

    assert store._bytes <= 64 * 1024 * 1024
    assert store.find(kept[-1]) is None
    assert not any(map(store.find, kept[:10]))


@pytest.mark.parametrize(
    ("via", "advice"),
    [
        ("1.1 proxy (Apache/2.4.66)", "LimitRequestFieldSize 16380"),
        ("", "stlaunch explain STL609"),
        ("1.1 Caddy", ""),  # which takes 1 MB
    ],
)
@pytest.mark.parametrize("is_answer", [True, False])
def test_what_stays_large_is_logged_with_the_proxys_lines(
    via: str, advice: str, is_answer: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as the cookies of a proxy that logs visitors in, which are not the app's."""
    large = "oauth2_proxy=" + "x" * 4100
    app = Recorder(response_headers=[(b"set-cookie", large.encode())] if is_answer else [])
    wrapped = make(app)
    headers = [*HOST, *([("via", via)] if via else []), *([] if is_answer else [("cookie", large)])]
    for _ in range(2):
        request(wrapped, CALLBACK, headers)
    lines = [r.getMessage() for r in caplog.records if "STL609" in r.getMessage()]

    assert len(lines) == bool(advice)
    assert advice in "".join(lines)
    assert "xxxx" not in caplog.text


def test_without_a_proxy_there_is_no_limit(caplog: pytest.LogCaptureFixture) -> None:
    wrapped = make(Recorder(), paths=PublicPaths(), app_base=BasePath())
    request(wrapped, "/oauth2callback", [*HOST, ("cookie", "a=" + "x" * 5000)])

    assert "STL609" not in caplog.text


def _logs_in(referer: str, *headers: tuple[str, str], cookie: str = "") -> str | None:
    app = Recorder(status=302, response_headers=[(b"location", b"/app/")])
    wrapped = make(app)
    asked = [*HOST, ("referer", referer), *headers]
    noted = _cookies(request(wrapped, "/app/auth/login", asked).headers)
    value = cookie or "".join(text.partition(";")[0] for text in noted)
    return request(wrapped, CALLBACK, [*HOST, ("cookie", value)]).header("location")


@pytest.mark.parametrize(
    ("referer", "leads_to"),
    [
        ("http://app.test/app/?x=1&y=%C3%A9", "./?x=1&y=%C3%A9"),
        ("http://app.test/app/second_page?x=1", "second_page?x=1"),
        ("http://app.test/app/", "./"),
        ("http://app.test/elsewhere?x=1", "./"),
        ("http://app.test/app//evil.example/", "./"),
        ("http://app.test/app/auth/logout", "./"),
        ("http://app.test/app/%2e%2e/admin", "./"),
        ("http://app.test/app/" + "x" * 2000, "./"),
        ("http://[x", "./"),
        ("", "./"),
    ],
)
def test_a_login_leads_back_to_the_page_that_asked(referer: str, leads_to: str) -> None:
    assert _logs_in(referer) == leads_to


def test_another_site_chooses_no_page() -> None:
    headers = ("sec-fetch-site", "cross-site")

    assert _logs_in("https://evil.example/app/?x=1", headers) == "./"


PLANTED = (
    *("//evil.example", "https://evil.example", "/auth/logout", "/a\r\nb: c", "\\evil", "/%5c/x"),
    *("?", quote("/é")),
)


@pytest.mark.parametrize("page", PLANTED)
def test_a_planted_cookie_leads_nowhere_else(page: str) -> None:
    value = base64.urlsafe_b64encode(page.encode()).decode()
    found = _logs_in("", cookie=f"stlaunch_return={value}")

    assert found in {"./", "%C3%A9"}


def test_a_logout_at_the_provider_fits() -> None:
    """Streamlit hands the whole id token on in the address."""
    location = f"https://id.example/logout?client_id=a&id_token_hint={LARGE}&x=1".encode()
    app = Recorder(status=302, response_headers=[(b"location", location)])
    sent = request(make(app), "/app/auth/logout", HOST).header("location")

    assert sent == "https://id.example/logout?client_id=a&x=1"
