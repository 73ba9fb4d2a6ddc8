"""A `map` is evaluated with what browsers' handshakes say."""

from __future__ import annotations

import pytest

from stlaunch.lint.kinds import FileKind
from stlaunch.lint.read import lint_text

SERVER = """
server {
    listen 80;
    client_max_body_size 0;
    location / {
        proxy_pass http://127.0.0.1:8501;
        proxy_http_version 1.1;
        proxy_set_header Upgrade UPGRADE;
        proxy_set_header Connection CONNECTION;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
}
"""


def codes(maps: str, upgrade: str = "$http_upgrade", connection: str = "$mapped") -> set[str]:
    text = maps + SERVER.replace("UPGRADE", upgrade).replace("CONNECTION", connection)
    return {finding.code for finding in lint_text(text, FileKind.NGINX).findings}


@pytest.mark.parametrize(
    ("source", "entries", "is_good"),
    [
        pytest.param("$http_upgrade", "default upgrade; '' close;", True, id="nginx.org"),
        pytest.param("$http_upgrade", 'default keep-alive; "~*websocket" upgrade;', True,
            id="expression"),
        pytest.param("$http_connection", '"~*Upgrade" $http_connection; default keep-alive;', True,
            id="microsoft"),
        pytest.param("${http_upgrade}", "WebSocket Upgrade; default close;", True, id="any-case"),
        pytest.param("$http_upgrade", "default close; ~^web upgrade; ~socket close;", True,
            id="first-expression"),
        pytest.param("$http_upgrade", "default close; ~^Web upgrade;", False, id="case-counts"),
        pytest.param("$http_upgrade", "~*web close; websocket upgrade;", True,
            id="exact-before-expression"),
        pytest.param("$http_upgrade", "h2c upgrade;", False, id="no-entry"),
        pytest.param("$http_upgrade", "default close;", False, id="close"),
        pytest.param("$http_connection", "default close; Upgrade upgrade;", False,
            id="not-of-firefox"),
        pytest.param("$http_connection", "default $http_upgrade;", False, id="other-header"),
        pytest.param("$http_upgrade$http_connection", "default close; ~*upgrade upgrade;", True,
            id="joined"),
        pytest.param("$http_upgrade", "default close; ~^(.*)$ $1;", True, id="group-not-known"),
        pytest.param("$http_upgrade", "default close; ~(a+)+ x;", True, id="unsafe-expression"),
        pytest.param("$http_upgrade", "default close; include more.map;", True, id="not-read"),
        pytest.param("$ssl_protocol", "default close; TLSv1.3 upgrade;", True, id="other-source"),
        pytest.param("$mapped", "default close;", True, id="of-itself"),
    ],
)  # fmt: skip
def test_map_of_the_connection_header(source: str, entries: str, is_good: bool) -> None:
    found = codes(f"map {source} $mapped {{ {entries} }}")

    assert found == (set() if is_good else {"STL301"})


def test_map_of_the_upgrade_header() -> None:
    good = "map $http_upgrade $mapped { default $http_upgrade; h2c ''; }"
    bad = "map $http_upgrade $mapped { default ''; h2c h2c; }"

    assert codes(good, "$mapped", "upgrade") == set()
    assert codes(bad, "$mapped", "upgrade") == {"STL301"}
    assert codes("", "$not_there", "$nor_this") == set()
