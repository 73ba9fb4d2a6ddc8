"""Caddy: what is for other requests than the app's does not count for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file

pytestmark = pytest.mark.process
APP = "reverse_proxy localhost:8501"
APP_OF_X = "reverse_proxy @x localhost:8501"
DENY = "header X-Frame-Options DENY"
SMALL = "request_body {\nmax_size 1MB\n}"
NO_TOKEN = 'header Set-Cookie "$" "; HttpOnly"'


def codes(folder: Path, text: str) -> list[str]:
    """Return the findings in a Caddyfile."""
    path = folder / "Caddyfile"
    path.write_text(f"{text}\n")
    report = lint_file(path, App())

    assert report.routes
    return sorted(finding.code for finding in report.findings)


@pytest.mark.parametrize(
    "lines",
    [
        "@api path_regexp ^/api/\nheader @api X-Frame-Options DENY",
        "@api path_regexp ^/api/\nrequest_body @api {\nmax_size 1MB\n}",
        "@other not path / /component/*\nheader @other X-Frame-Options DENY",
        "@other not header X-Known *\nheader @other X-Frame-Options DENY",
        "@other not path /a/*/b\nheader @other X-Frame-Options DENY",
        "@styles path *.css\nheader @styles X-Frame-Options DENY",
        "@json header Accept application/json*\nrequest_body @json {\nmax_size 1MB\n}",
        '@json header Accept application/json*\nheader @json Set-Cookie "$" "; HttpOnly"',
        f"handle_errors {{\n{DENY}\n}}",
        f"@api path_regexp ^/api/\nhandle @api {{\n{SMALL}\n{DENY}\n}}",
    ],
    ids=[
        "regexp",
        "limit",
        "not-the-page",
        "not-header",
        "not-decided",
        "ending",
        "header",
        "cookie",
        "errors",
        "around",
    ],
)
def test_what_a_matcher_selects_is_not_the_apps(tmp_path: Path, lines: str) -> None:
    assert codes(tmp_path, f"a.test {{\n{lines}\n{APP}\n}}") == []


@pytest.mark.parametrize("excluded", ["/api/*", "/api /api/*", "*.css *.js", "*secret*"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("header @big Content-Security-Policy \"default-src 'none'\"", ["STL810"]),
        ("request_body @big {\nmax_size 1MB\n}", ["STL607"]),
        ("rewrite @big /", ["STL316"]),
    ],
    ids=["header", "limit", "rewrite"],
)
def test_all_but_other_paths_is_the_apps(
    tmp_path: Path, lines: str, excluded: str, expected: list[str]
) -> None:
    text = f"a.test {{\n@big not path {excluded}\n{lines}\n{APP}\n}}"

    assert codes(tmp_path, text) == expected


def test_refused_put_may_leave_out_other_paths(tmp_path: Path) -> None:
    matcher = "@x {\nmethod PUT\nnot path /api/*\n}"

    assert codes(tmp_path, f"a.test {{\n{matcher}\nrespond @x 405\n{APP}\n}}") == ["STL512"]


@pytest.mark.parametrize(
    ("excluded", "expected"), [("/app /app/*", []), ("/api/*", ["STL809"])], ids=["app", "api"]
)
def test_excluded_path_of_the_app(tmp_path: Path, excluded: str, expected: list[str]) -> None:
    header = f"@other not path {excluded}\nheader @other X-Frame-Options DENY"
    text = f"a.test {{\n{header}\nredir /app /app/\nhandle /app/* {{\n{APP}\n}}\n}}"

    assert codes(tmp_path, text) == expected


@pytest.mark.parametrize("line", [DENY, SMALL, NO_TOKEN], ids=["header", "limit", "cookie"])
def test_another_port_has_settings_of_its_own(tmp_path: Path, line: str) -> None:
    other = f":9000 {{\n{line}\nreverse_proxy api:9000\n}}"

    assert codes(tmp_path, f"{other}\n:80 {{\n{APP}\n}}") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f":80 {{\n{DENY}\n{SMALL}\n{APP}\n}}", ["STL607", "STL809"]),
        (
            f":80 {{\n@known header X-Known *\nhandle @known {{\n{DENY}\n{SMALL}\n{APP}\n}}\n}}",
            ["STL607", "STL809"],
        ),
        (
            f":80 {{\n@put method PUT\nrequest_body @put {{\nmax_size 1MB\n}}\n{APP}\n}}",
            ["STL607"],
        ),
        (
            f":80 {{\n@x header X-Known *\n{DENY.replace(' ', ' @x ', 1)}\n{APP_OF_X}\n}}",
            ["STL809"],
        ),
    ],
    ids=["everything", "around-the-app", "for-put", "the-apps-own-matcher"],
)
def test_what_is_around_the_app_counts(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert codes(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rewrite * /", ["STL316"]),
        ("rewrite * /index.html?{query}", ["STL316"]),
        ("rewrite * /app{uri}", []),
        ("rewrite /old /new", []),
        ("@old header X-Old *\nrewrite @old /", []),
    ],
)
def test_rewrite_to_one_path_loses_all_others(
    tmp_path: Path, line: str, expected: list[str]
) -> None:
    assert codes(tmp_path, f":80 {{\n{line}\n{APP}\n}}") == expected
