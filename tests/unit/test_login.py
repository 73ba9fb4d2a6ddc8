"""Which `redirect_uri` is right, and what is reported about a wrong one."""

from __future__ import annotations

import pytest

from stlaunch.launcher.login import redirect_uri_warnings
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import PublicUrl

URL = PublicUrl.parse("https://example.com/app")
RIGHT = "https://example.com/app/oauth2callback"
APP = (BasePath("/app"),)


@pytest.mark.parametrize(
    ("given", "url", "paths", "expected"),
    [
        pytest.param(None, URL, APP, None, id="no-auth"),
        pytest.param(RIGHT, URL, APP, None, id="right"),
        pytest.param("", URL, APP, RIGHT, id="missing"),
        pytest.param("https://example.com/oauth2callback", URL, APP, RIGHT, id="no-path"),
        pytest.param("http://example.com/app/oauth2callback", URL, APP, RIGHT, id="scheme"),
        pytest.param(RIGHT + "/", URL, APP, RIGHT, id="slash"),
        pytest.param("http://localhost:{port}/oauth2callback", URL, APP, RIGHT, id="port"),
        pytest.param("http://[x", URL, APP, RIGHT, id="junk"),
        pytest.param(RIGHT, None, APP, None, id="path-alone-right"),
        pytest.param("https://example.com/oauth2callback", None, APP, RIGHT, id="path-alone"),
        pytest.param("http://localhost:{port}/oauth2callback", None, (), None, id="at-home"),
        pytest.param(
            "http://localhost:8501/",
            None,
            (),
            "http://localhost:8501/oauth2callback",
            id="no-callback",
        ),
        pytest.param("", None, APP, None, id="nobody-knows"),
        pytest.param("http://[x", None, APP, None, id="junk-alone"),
        pytest.param("x", None, APP, None, id="no-address"),
        pytest.param(
            "https://example.com/app/oauth2callback",
            PublicUrl.parse("https://example.com"),
            (BasePath(),),
            "https://example.com/oauth2callback",
            id="root",
        ),
    ],
)
def test_redirect_uri(
    given: str | None, url: PublicUrl | None, paths: tuple[BasePath, ...], expected: str | None
) -> None:
    warnings = redirect_uri_warnings(given, public_url=url, paths=paths)

    if expected is None:
        assert warnings == []
    else:
        (warning,) = warnings
        assert f'Write redirect_uri = "{expected}"' in warning
