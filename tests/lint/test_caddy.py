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
        "@other not path /app /app/*\nheader @other X-Frame-Options DENY",
        "@json header Accept application/json*\nrequest_body @json {\nmax_size 1MB\n}",
        '@json header Accept application/json*\nheader @json Set-Cookie "$" "; HttpOnly"',
        f"handle_errors {{\n{DENY}\n}}",
        f"@api path_regexp ^/api/\nhandle @api {{\n{SMALL}\n{DENY}\n}}",
    ],
    ids=["regexp", "limit", "not", "header", "cookie", "errors", "around"],
)
def test_what_a_matcher_selects_is_not_the_apps(tmp_path: Path, lines: str) -> None:
    assert codes(tmp_path, f"a.test {{\n{lines}\n{APP}\n}}") == []


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
