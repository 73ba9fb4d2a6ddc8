"""Redirects to the one right address hide nothing, and are no fault of what is behind them."""

from __future__ import annotations

import pytest

from stlaunch.lint.findings import Report
from stlaunch.lint.kinds import FileKind
from stlaunch.lint.read import lint_text

GOOD = "ProxyPreserveHost On\nProxyPass / http://127.0.0.1:8501/ upgrade=websocket\n"
BAD = "ProxyPreserveHost On\nProxyPass / http://127.0.0.1:8501/\n"
NAMES = "ServerName example.com:80\nServerAlias *.example.net www.example.com\n"


def apache(lines: str, names: str = NAMES) -> Report:
    text = f"<VirtualHost *:80>\n{names}RewriteEngine On\n{lines}</VirtualHost>\n"
    return lint_text(text, FileKind.APACHE)


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


BOTH = NAMES.replace("*.example.net ", "")
TO_NAME = "RewriteRule ^(.*)$ https://example.com$1 [R=301,L]\n"


@pytest.mark.parametrize(
    "condition",
    [
        r"%{HTTP_HOST} ^www\.example\.com$ [NC]",
        r"%{HTTP_HOST} !^EXAMPLE\.com$ [NC]",
        r"%{SERVER_NAME} !=example.com",
        r"%{HTTP:Host} ^www\.",
    ],
    ids=["of-the-alias", "of-all-others", "server-name", "header"],
)
def test_host_behind_a_redirect_to_its_name_is_checked(condition: str) -> None:
    rule = f"RewriteCond {condition}\n{TO_NAME}"

    assert codes(apache(rule + BAD)) == ["STL301"]
    assert codes(apache(rule + GOOD)) == []
    assert apache(rule + GOOD).routes


def test_host_that_redirects_to_its_alias_is_checked_as_that() -> None:
    rule = f"RewriteCond %{{HTTP_HOST}} ^example\\.com$\n{TO_NAME.replace('//', '//www.')}"

    assert codes(apache(rule + BAD)) == ["STL301"]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("%{SERVER_NAME} =example.com", "ServerName example.com\n"),
        ("%{SERVER_NAME} =www.example.com [OR]\nRewriteCond %{SERVER_NAME} =example.com", BOTH),
        (r"%{HTTP_HOST} ^www\.", ""),
        (r"%{HTTP_HOST} ^www\.", "ServerName ${DOMAIN}\n"),
    ],
    ids=["certbot", "certbot-of-two", "without-a-name", "name-not-known"],
)
def test_host_that_only_redirects_to_https_has_no_route(condition: str, names: str) -> None:
    report = apache(f"RewriteCond {condition}\n{TO_NAME}{BAD}", names)

    assert not report.findings
    assert not report.routes


WEBSOCKET_RULE = (
    "RewriteCond %{HTTP:Upgrade} websocket [NC]\nRewriteRule ^/?(.*) ws://localhost:8501/$1 [P,L]\n"
)


def test_rule_for_handshakes_before_the_redirect_to_https_is_no_fault() -> None:
    """`certbot --apache --redirect` adds the last two lines."""
    to_https = (
        "RewriteCond %{SERVER_NAME} =app.test\n"
        "RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [END,NE,R=permanent]\n"
    )
    report = apache(WEBSOCKET_RULE + BAD + to_https, "ServerName app.test\n")

    assert not report.findings


def test_page_that_redirects_alone_leaves_the_rest_to_be_checked() -> None:
    rule = "RewriteRule ^/$ /home [R,L]\n"

    assert codes(apache(rule + GOOD)) == []
    assert codes(apache(rule + BAD)) == ["STL301"]


def test_nginx_redirect_of_the_page_is_no_loss_of_the_rest() -> None:
    stream = "location /_stcore/stream { proxy_pass http://127.0.0.1:8501; }"
    redirect = "location / { return 301 https://$host$request_uri; }"
    refusal = "location / { return 404; }"
    found = {
        name: codes(lint_text(f"server {{ listen 80; {stream} {rest} }}", FileKind.NGINX))
        for name, rest in (("redirect", redirect), ("refusal", refusal))
    }

    assert found["redirect"] == []
    assert "STL208" in found["refusal"]
