"""Streamlit's uploads need a cookie that the page can read, and that reaches their address."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file
from stlaunch.lint.kinds import FileKind
from stlaunch.lint.read import lint_text
from tests.lint.test_corpus import CORPUS

NGINX = (CORPUS / "nginx" / "good_cookie_path.conf").read_text()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("proxy_cookie_path / /app;", ""),
        ("proxy_cookie_path / /;", ""),
        ("proxy_cookie_path / /other/;", "STL509"),
        ("proxy_cookie_path / /ap;", "STL509"),
        ("proxy_cookie_path / /app/admin/;", "STL509"),
        ('proxy_cookie_path / "/; Secure; SameSite=Lax";', ""),
        ('proxy_cookie_path / "/other; Secure";', "STL509"),
        ('proxy_cookie_path / "/app; HTTPOnly; Secure";', "STL506"),
        ('proxy_cookie_path / "/; NotHttpOnlyReally";', ""),
        ("proxy_cookie_path ~^/(.*)$ /app/$1;", ""),
        ("proxy_cookie_path ~^/(.*)$ /other/$1;", "STL509"),
        ("proxy_cookie_path ~*^/APP/ /other/;", ""),
        ("proxy_cookie_path ~(a+)+ /other/;", ""),
        ("proxy_cookie_path /other/ /more/;", ""),
        ("proxy_cookie_path / /$where/;", ""),
        ("proxy_cookie_path off;", ""),
        ("proxy_cookie_path / /app/; proxy_cookie_path / /other/;", ""),
        ("proxy_cookie_flags ~ httponly samesite=strict;", "STL506"),
        ("proxy_cookie_flags _streamlit_xsrf HttpOnly;", "STL506"),
        ("proxy_cookie_flags ~_STREAMLIT_ httponly;", "STL506"),
        ("proxy_cookie_flags ~ secure nohttponly;", ""),
        ("proxy_cookie_flags session httponly;", ""),
        ("proxy_cookie_flags ~_xsrf secure; proxy_cookie_flags ~ httponly;", ""),
        ("proxy_cookie_flags off;", ""),
    ],
)
def test_nginx_changes_of_cookies(line: str, code: str) -> None:
    text = NGINX.replace("proxy_cookie_path / /app/;", line)
    found = {finding.code for finding in lint_text(text, FileKind.NGINX).findings}

    assert found == ({code} if code else set())


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Header edit Set-Cookie ^(.*)$ $1;HttpOnly;Secure", "STL506"),
        ('Header onsuccess edit* Set-Cookie "(.*)" "$1; httponly"', "STL506"),
        ("Header edit Set-Cookie ^(JSESSIONID=.*)$ $1;HttpOnly", ""),
        ("Header edit Set-Cookie ^(.*)$ $1;Secure", ""),
        ("Header edit Set-Cookie (a+)+ $1;HttpOnly", ""),
        ("Header edit Set-Cookie ^(.*)$", ""),
        ("Header set X-Cookie HttpOnly", ""),
        ("Header onsuccess unset", ""),
        ("Header unset Set-Cookie", "STL505"),
        ("Header always edit Set-Cookie ^(.*)$ $1;HttpOnly;Secure", ""),
        ("Header always unset Set-Cookie", ""),
    ],
)
def test_apache_changes_of_cookies(line: str, code: str) -> None:
    """`always` is another table, which holds no cookie of the app's: it arrives as it was sent."""
    lines = f"ProxyPreserveHost On\n{line}\nProxyPass / http://localhost:8501/ upgrade=websocket\n"
    text = f"<VirtualHost *:80>\n{lines}</VirtualHost>\n"
    found = {finding.code for finding in lint_text(text, FileKind.APACHE).findings}

    assert found == ({code} if code else set())


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('http-response replace-header Set-Cookie (.*) "\\1; HttpOnly"', "STL506"),
        ('http-response replace-header Set-Cookie (.*) "\\1; Secure"', ""),
        ('http-response replace-header Set-Cookie (.*) "\\1; HttpOnly" if { path /x }', ""),
    ],
)
def test_haproxy_changes_of_cookies(line: str, code: str) -> None:
    text = f"listen a\nmode http\nbind :80\noption forwardfor\n{line}\nserver s b:8501\n"
    found = {finding.code for finding in lint_text(text, FileKind.HAPROXY).findings}

    assert found == ({code} if code else set())


@pytest.mark.process
@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        (['header_down Set-Cookie "$" "; HttpOnly"'], ["STL506"]),
        (['header_down Set-Cookie "$" "; Secure"'], []),
        (['header_down Set-Cookie "^session.*" "$0; HttpOnly"'], []),
        (['header_down Set-Cookie "(a+)+" "; HttpOnly"', 'header_down Server "a" "HttpOnly"'], []),
    ],
    ids=["all", "secure", "of-another", "not-understood"],
)
def test_caddy_changes_of_cookies(lines: list[str], codes: list[str], tmp_path: Path) -> None:
    inner = "".join(f"\t\t{line}\n" for line in lines)
    site = tmp_path / "Caddyfile"
    site.write_text(f"a.test {{\n\treverse_proxy localhost:8501 {{\n{inner}\t}}\n}}\n")
    found = lint_file(site, App()).findings

    assert [(one.code, one.line) for one in found] == [(code, 3) for code in codes]
