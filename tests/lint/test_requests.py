"""What nginx and Apache do with a request, in the linter's model, line by line of their manuals."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint.apache import request as apache
from stlaunch.lint.apache.parse import read_apache
from stlaunch.lint.findings import Report
from stlaunch.lint.nginx import request as nginx
from stlaunch.lint.nginx.parse import parse_nginx
from stlaunch.lint.sources import Sources

FILE = Path("/etc/server.conf")
APP = "proxy_pass http://app"
TO = "http://app"


def asked_of_nginx(lines: str, path: str, method: str = "GET", *, is_upgrade: bool = False) -> str:
    """Return `sends X`, a status, `answers` where nginx does so itself, or what is not clear."""
    (server,) = parse_nginx(f"server {{ {lines} }}", FILE)
    asked = nginx.Request(path=path, method=method, is_upgrade=is_upgrade)
    try:
        found = nginx.answer(server, asked, {})
        if found.proxied is not None:
            return f"sends {nginx.sent_path(found, found.proxied.args[0], {})}"
    except nginx.NotUnderstoodError as exc:
        return f"not clear: {exc}"
    return found.status or "answers"


@pytest.mark.parametrize(
    ("lines", "path", "result"),
    [
        pytest.param(f"location / {{ {APP}; }}", "/app/x", "sends /app/x", id="as-it-is"),
        pytest.param(f"location /app/ {{ {APP}/; }}", "/app/x", "sends /x", id="stripped"),
        pytest.param(f"location /app/ {{ {APP}/; }}", "/apple", "answers", id="elsewhere"),
        pytest.param(f"location = /app {{ {APP}; }} location / {{ return 404; }}", "/app",
            "sends /app", id="exact"),
        pytest.param(f"location ~* \\.JS$ {{ return 410; }} location /app {{ {APP}; }}",
            "/app/x.js", "410", id="expression-before-prefix"),
        pytest.param(f"location ~ \\.js$ {{ return 410; }} location ^~ /app {{ {APP}; }}",
            "/app/x.js", "sends /app/x.js", id="prefix-that-ends-the-search"),
        pytest.param(f"location /app {{ location ~ \\.js$ {{ return 410; }} {APP}; }}"
            " location ~ \\.js$ { return 411; }", "/app/x.js", "410", id="inner-expression-first"),
        pytest.param(f"location ~*^/app {{ {APP}; }}", "/App/x", "sends /App/x", id="glued"),
        pytest.param(f"location ~ ^/(a+)(b|bb)+$ {{ {APP}; }}", "/ab",
            "not clear: the expression ^/(a+)(b|bb)+$", id="unsafe-expression"),
        pytest.param(f"location ~ ^/app {{ {APP}/x; }}", "/app/y",
            "not clear: proxy_pass with a path inside a regular expression", id="path-in-regex"),
        pytest.param(f"location ~ ^/app/(?<rest>.*)$ {{ {APP}/$rest; }}", "/app/y", "sends /y",
            id="named-group"),
        pytest.param(f"location ~ ^/app/(.*)$ {{ {APP}/z/$1?$args; }}", "/app/y", "sends /z/y",
            id="numbered-group"),
        pytest.param(f"location / {{ {APP}/$unknown; }}", "/x",
            f"not clear: proxy_pass to {TO}/$unknown holds a variable", id="unknown-variable"),
        # rewrites
        pytest.param(f"location /app/ {{ rewrite ^/app/(.*)$ /$1 break; {APP}; }}", "/app/x",
            "sends /x", id="rewrite-break"),
        pytest.param(f"location /app/ {{ rewrite ^/app/(.*)$ /$1 break; {APP}/y/; }}", "/app/x",
            "sends /x", id="rewrite-before-path"),
        pytest.param(f"location /app/ {{ rewrite ^/app/(.*)$ /new/$1 last; }}"
            f" location /new/ {{ {APP}; }}", "/app/x", "sends /new/x", id="rewrite-last"),
        pytest.param(f"location /app/ {{ rewrite ^/app/(.*)$ /new/$1; }}"
            f" location /new/ {{ {APP}; }}", "/app/x", "sends /new/x", id="rewrite-without-flag"),
        pytest.param("location /a/ { rewrite ^/a/(.*)$ /b/$1; }"
            " location /b/ { rewrite ^/b/(.*)$ /a/$1; }", "/a/x",
            "not clear: rewrites that go round in circles", id="rewrite-circle"),
        pytest.param(f"rewrite ^/old /new/; location /new/ {{ {APP}; }}", "/old", "sends /new/",
            id="rewrite-of-the-server"),
        pytest.param(f"rewrite ^/no /new/; location / {{ {APP}; }}", "/old", "sends /old",
            id="rewrite-of-another-path"),
        pytest.param("location / { rewrite ^/app$ /app/ permanent; }", "/app", "301",
            id="rewrite-permanent"),
        pytest.param("location / { rewrite ^ https://x.test$uri; }", "/app", "301",
            id="rewrite-to-another-host"),
        pytest.param("location / { rewrite ^ /$what/ last; }", "/app",
            "not clear: a rewrite to /$what/", id="rewrite-with-unknown-variable"),
        pytest.param(f"location / {{ break; return 403; {APP}; }}", "/x", "sends /x", id="break"),
        # answers of its own
        pytest.param("return 301 https://$host$request_uri;", "/x", "301", id="return"),
        pytest.param("location / { return https://x.test/; }", "/x", "302", id="return-url"),
        pytest.param(f"location / {{ error_page 418 = @app; return 418; }}"
            f" location @app {{ {APP}; }}", "/x", "sends /x", id="error-page"),
        pytest.param("location / { error_page 418 = @gone; return 418; }", "/x", "418",
            id="error-page-that-is-not-there"),
        pytest.param(f"location / {{ error_page 404 = @app; return 418; }}"
            f" location @app {{ {APP}; }}", "/x", "418", id="error-page-of-another-status"),
        # try_files: nothing of the app is on nginx's disk
        pytest.param(f"location / {{ try_files $uri @app; }} location @app {{ {APP}; }}", "/x",
            "sends /x", id="try-named"),
        pytest.param("location / { try_files $uri @app; }", "/x",
            "not clear: @app, which is not there", id="try-named-that-is-not-there"),
        pytest.param("location / { try_files $uri =404; }", "/x", "404", id="try-status"),
        pytest.param(f"location / {{ try_files $uri /app/index.html?$args; }}"
            f" location /app/ {{ {APP}; }}", "/x", "sends /app/index.html", id="try-path"),
        pytest.param("location / { try_files /y $uri; }", "/x", "answers", id="try-itself"),
        pytest.param("location / { try_files $uri /$what; }", "/x",
            "not clear: try_files that ends with /$what", id="try-unknown-variable"),
        # conditions
        pytest.param(f"location / {{ if ($request_method = POST) {{ return 405; }} {APP}; }}", "/x",
            "sends /x", id="if-other-method"),
        pytest.param(f"location / {{ if ($request_method != POST) {{ return 405; }} {APP}; }}",
            "/x", "405", id="if-not"),
        pytest.param(
            f"location / {{ if ($request_method ~ ^(get|head)$) {{ return 405; }} {APP}; }}",
            "/x", "sends /x", id="if-case"),
        pytest.param(
            f"location / {{ if ($request_method ~* ^(get|head)$) {{ return 405; }} {APP}; }}",
            "/x", "405", id="if-any-case"),
        pytest.param(f"location / {{ if ($uri !~ ^/app) {{ return 404; }} {APP}; }}", "/x", "404",
            id="if-no-match"),
        pytest.param(f"location / {{ if ($http_upgrade) {{ return 426; }} {APP}; }}", "/x",
            "sends /x", id="if-empty"),
        pytest.param(f"location / {{ if ($http_cookie) {{ return 403; }} {APP}; }}", "/x",
            "sends /x", id="if-unknown"),
        pytest.param(f"location / {{ if (-f $request_filename) {{ break; }} {APP}; }}", "/x",
            "sends /x", id="if-file"),
        pytest.param("location / { if ($request_method = GET) { proxy_pass http://b; } "
            f"{APP}; }}", "/x", "sends /x", id="if-with-a-pass"),
    ],
)  # fmt: skip
def test_nginx(lines: str, path: str, result: str) -> None:
    assert asked_of_nginx(lines, path) == result


def test_nginx_sees_the_handshake_and_the_method() -> None:
    lines = (
        f"if ($http_upgrade) {{ return 426; }} if ($request_method = PUT) {{ return 405; }} {APP};"
    )

    assert asked_of_nginx(f"location / {{ {lines} }}", "/x", is_upgrade=True) == "426"
    assert asked_of_nginx(f"location / {{ {lines} }}", "/x", "PUT") == "405"
    assert asked_of_nginx(f"location / {{ {lines} }}", "/x") == "sends /x"


def asked_of_apache(lines: str, path: str, method: str = "GET", *, is_upgrade: bool = False) -> str:
    """Return `sends X`, a status, `answers` where Apache does so itself, or what is not clear."""
    text = f"<VirtualHost *:80>\n{lines}\n</VirtualHost>\n"
    tree = read_apache(FILE, Sources.of_texts({FILE: text}), Report())
    (site,) = [one for one in apache.sites(tree.root) if one.node.name == "virtualhost"]
    try:
        found = apache.answer(site, path, is_upgrade=is_upgrade, method=method)
    except apache.NotUnderstoodError as exc:
        return f"not clear: {exc}"
    if found.by is not None:
        return f"sends {found.sent}"
    return found.status or "answers"


RULES = "RewriteEngine On\n"


@pytest.mark.parametrize(
    ("lines", "path", "result"),
    [
        pytest.param(f"ProxyPass / {TO}/", "/app/x", f"sends {TO}/app/x", id="as-it-is"),
        pytest.param(f"ProxyPass /app {TO}", "/app/x", f"sends {TO}/x", id="stripped"),
        pytest.param(f"ProxyPass /app {TO}", "/apple", "answers", id="no-part-of-a-name"),
        pytest.param(f"ProxyPass /app/x !\nProxyPass / {TO}/", "/app/x", "answers", id="excluded"),
        pytest.param(f"ProxyPass / {TO}/\nProxyPass /app/x !", "/app/x", f"sends {TO}/app/x",
            id="first-counts"),
        pytest.param(f"<Location /app/>\nProxyPass {TO}/\n</Location>", "/app/x",
            f"sends {TO}/x", id="location"),
        pytest.param(f"<Location /app/>\nProxyPass !\n</Location>\nProxyPass / {TO}/", "/app/x",
            "answers", id="location-excluded"),
        pytest.param(f"<LocationMatch ^/app/(.*)$>\nProxyPassMatch {TO}/$1\n</LocationMatch>",
            "/app/x", f"sends {TO}/x", id="location-match"),
        pytest.param(f"<Location ~ ^/app/(.*)$>\nProxyPassMatch {TO}/$1\n</Location>",
            "/other", "answers", id="location-expression"),
        pytest.param(f"ProxyPassMatch ^/app/(.*)$ {TO}/$1", "/app/x", f"sends {TO}/x", id="match"),
        pytest.param(f"ProxyPassMatch ^/app {TO}", "/app/x", f"sends {TO}/app/x",
            id="match-without-group"),
        pytest.param("ProxyPass /app", "/app", "answers", id="pass-to-nowhere"),
        pytest.param(f"ProxyPassMatch ^/(a+)(b|bb)+$ {TO}", "/ab",
            "not clear: the expression ^/(a+)(b|bb)+$", id="unsafe-expression"),
        # redirects
        pytest.param("Redirect /app https://x.test/", "/app/x", "302", id="redirect"),
        pytest.param("Redirect permanent / https://x.test/", "/x", "301", id="redirect-permanent"),
        pytest.param("Redirect 308 / https://x.test/", "/x", "308", id="redirect-number"),
        pytest.param("RedirectPermanent / https://x.test/", "/x", "301", id="redirect-by-name"),
        pytest.param("RedirectMatch ^/app$ /app/", "/app", "302", id="redirect-match"),
        pytest.param("RedirectMatch ^/app$ /app/", "/app/", "answers", id="redirect-no-match"),
        pytest.param("Redirect gone /app", "/app", "410", id="redirect-gone"),
        pytest.param("Redirect /app https://x.test/", "/apple", "answers", id="redirect-elsewhere"),
        pytest.param("<Location /app>\nRedirect https://x.test/\n</Location>", "/app/x", "302",
            id="redirect-of-a-location"),
        # rewrites
        pytest.param(f"RewriteRule ^/(.*) {TO}/$1 [P]", "/x", "answers", id="engine-off"),
        pytest.param(f"{RULES}RewriteRule ^/(.*) {TO}/$1 [P]", "/x", f"sends {TO}/x", id="rewrite"),
        pytest.param(f"{RULES}RewriteRule ^/APP/(.*) {TO}/$1 [P,NC]", "/app/x", f"sends {TO}/x",
            id="rewrite-any-case"),
        pytest.param(f"{RULES}RewriteRule !^/static {TO}/all [P]", "/x", f"sends {TO}/all",
            id="rewrite-negated"),
        pytest.param(f"{RULES}RewriteRule !^/static {TO}/all [P]", "/static/x", "answers",
            id="rewrite-negated-away"),
        pytest.param(f"{RULES}RewriteRule ^/app/(.*) /$1 [PT]\nProxyPass / {TO}/", "/app/x",
            f"sends {TO}/x", id="rewrite-then-pass"),
        pytest.param(f"{RULES}RewriteRule ^/app$ /app/ [R,L]", "/app", "302",
            id="rewrite-redirect"),
        pytest.param(f"{RULES}RewriteRule ^ https://x.test%{{REQUEST_URI}}", "/x", "302",
            id="rewrite-to-another-host"),
        pytest.param(f"{RULES}RewriteRule ^/secret - [F]", "/secret", "403", id="forbidden"),
        pytest.param(f"{RULES}RewriteRule ^/app - [L]\nRewriteRule ^/ - [F]\nProxyPass / {TO}/",
            "/app", f"sends {TO}/app", id="last"),
        pytest.param(f"{RULES}RewriteRule ^/x/$9 - [F]\nRewriteRule ^/x {TO}/$9 [P]", "/x",
            f"sends {TO}/", id="group-that-is-not-there"),
        # conditions
        pytest.param(f"{RULES}RewriteCond %{{REQUEST_METHOD}} =GET\nRewriteRule ^ - [F]", "/x",
            "403", id="condition"),
        pytest.param(f"{RULES}RewriteCond %{{REQUEST_METHOD}} !^(GET|HEAD)$\nRewriteRule ^ - [F]",
            "/x", "answers", id="condition-negated"),
        pytest.param(f"{RULES}RewriteCond %{{HTTP:Upgrade}} =websocket [OR]\n"
            "RewriteCond %{HTTPS} off\nRewriteRule ^ - [F]", "/x", "403", id="condition-or"),
        pytest.param(f"{RULES}RewriteCond %{{REQUEST_METHOD}} =get [NC]\nRewriteRule ^ - [F]", "/x",
            "403", id="condition-any-case"),
        pytest.param(f"{RULES}RewriteCond %{{REQUEST_FILENAME}} !-f\nRewriteRule ^ {TO}/ [P]", "/x",
            f"sends {TO}/", id="condition-no-file"),
        pytest.param(f"{RULES}RewriteCond %{{REQUEST_FILENAME}} -d\nRewriteRule ^ {TO}/ [P]", "/x",
            "answers", id="condition-folder"),
        pytest.param(f"{RULES}RewriteCond %{{HTTP_HOST}} ^app\nRewriteRule ^ {TO}/ [P]", "/x",
            f"sends {TO}/", id="condition-host"),
        pytest.param(f"{RULES}RewriteCond %{{HTTP_COOKIE}} x\nRewriteRule ^ {TO}/ [P]", "/x",
            "not clear: a RewriteCond about something that is not known", id="condition-unknown"),
        pytest.param(f"{RULES}RewriteCond %{{HTTP_COOKIE}} x\nRewriteRule ^ - [F]", "/x",
            "answers", id="condition-unknown-and-no-pass"),
        # what is not in force
        pytest.param(f"<IfModule !mod_proxy.c>\nProxyPass / {TO}/\n</IfModule>", "/x", "answers",
            id="other-module"),
    ],
)  # fmt: skip
def test_apache(lines: str, path: str, result: str) -> None:
    assert asked_of_apache(lines, path) == result


def test_apache_sees_the_handshake_and_the_method() -> None:
    lines = (
        f"{RULES}RewriteCond %{{HTTP:Upgrade}} =websocket\nRewriteRule ^/(.*) ws://app/$1 [P]\n"
        f"RewriteCond %{{REQUEST_METHOD}} =PUT\nRewriteRule ^ - [F]\nProxyPass / {TO}/"
    )

    assert asked_of_apache(lines, "/x", is_upgrade=True) == "sends ws://app/x"
    assert asked_of_apache(lines, "/x", "PUT") == "403"
    assert asked_of_apache(lines, "/x") == f"sends {TO}/x"
