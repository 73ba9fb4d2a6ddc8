"""Exit codes, what to try where no route is seen, and one sentence for a broken file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stlaunch.errors import UsageError
from stlaunch.lint import App, lint_file, lint_files
from stlaunch.lint.verdict import what_to_try
from stlaunch.urls.origin import HostPort
from tests.lint.test_corpus import CORPUS
from tests.proxies.test_proxy_command import run


@pytest.mark.parametrize(
    ("lines", "has_login", "severities"),
    [
        ("", False, []),
        ("", True, ["info", "info"]),
        ("proxy_buffer_size 2k;", False, ["info"]),
        ("proxy_buffer_size 2k; large_client_header_buffers 4 16k;", True, ["warning"]),
        ("proxy_buffer_size 8k; large_client_header_buffers 4 16k;", True, ["info"]),
        ("proxy_buffer_size 16k; large_client_header_buffers 4 16k;", True, []),
        ("include unread.conf;", True, []),
    ],
)
def test_room_for_a_login_counts_where_the_app_has_one(
    tmp_path: Path, lines: str, has_login: bool, severities: list[str]
) -> None:
    """secrets.toml decides; without it, another proxy may log visitors in, and nothing is sure."""
    text = (CORPUS / "nginx" / "good_minimal.conf").read_text()
    path = tmp_path / "site.conf"
    path.write_text(text.replace("server {", f"server {{ {lines}", 1))
    found = lint_file(path, App(has_login=has_login)).findings

    assert [(one.code, str(one.severity)) for one in found] == [("STL609", s) for s in severities]


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("a.yaml", "a: [", "a.yaml, line 1", id="yaml"),
        pytest.param(
            "Caddyfile", "example.com {\n\tnonsense 1\n}\n", "refuses it: line 2: unrec", id="caddy"
        ),
        pytest.param("Caddyfile", "example.com {\n", "Caddy refuses it: ", id="caddy-open"),
        pytest.param("n.conf", "server {\n", "line 1: the block of `server`", id="nginx-open"),
        pytest.param(
            "n.conf", "server {\n}\n}\n", "line 3: a } closes no block", id="nginx-closed"
        ),
        pytest.param(
            "n.conf",
            "server {\n  location / {\n    proxy_pass;\n  }\n}\n",
            "line 3: `proxy_pass` lacks a value",
            id="nginx-value",
        ),
        pytest.param(
            "n.conf",
            "server {\n  location / {\n    proxy_set_header Host;\n  }\n}\n",
            "line 3: `proxy_set_header` lacks a value",
            id="nginx-header",
        ),
        pytest.param(
            "n.conf",
            "server {\n location / {\n  proxy_pass http://a\n  proxy_http_version 1.1;\n }\n}\n",
            "line 3: `proxy_pass http://a` has no semicolon",
            id="nginx-semicolon",
        ),
        pytest.param(
            "n.conf",
            "server {\n  location / {\n    proxy_pass http://a\n  }\n}\n",
            "line 3: `proxy_pass http://a` has no semicolon",
            id="nginx-last-semicolon",
        ),
        pytest.param("n.conf", 'server { set $a "x; }\n', "line 1: the quote", id="nginx-quote"),
        pytest.param(
            "s.conf", "<VirtualHost *:80>\nProxyPass\n", "line 2: `ProxyPass` lacks", id="apache"
        ),
        pytest.param(
            "s.conf",
            "<VirtualHost *:80>\nProxyPass / http://a/\n",
            "line 1: <virtualhost> is never closed",
            id="apache-open",
        ),
        pytest.param(
            "s.conf", "ProxyPass / http://a/\n</Proxy>\n", "closes nothing", id="apache-close"
        ),
        pytest.param(
            "h.cfg", "backend a\n  server x\n", "line 2: `server x` lacks a value", id="haproxy"
        ),
        pytest.param(
            "h.cfg", "backend a\n  timeout server\n", "line 2: `timeout server` lacks", id="timeout"
        ),
        pytest.param("n.conf", None, "does not exist", id="missing"),
    ],
)
def test_broken_file_is_one_sentence_with_its_line(
    tmp_path: Path, name: str, text: str | None, expected: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(UsageError) as caught:
        lint_file(tmp_path / name, App())
    assert expected in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("notes.txt", "Dear diary\n", "none of", id="unknown"),
        pytest.param("traefik.toml", "[http.routers.app]\n", "takes the same", id="toml"),
        pytest.param(
            "n.conf",
            "server {\n location ~ \\.(php|app)$ { proxy_pass http://127.0.0.1:8501; }\n}\n",
            "not plain",
            id="regex",
        ),
        pytest.param(
            "n.conf",
            "server {\n location / { rewrite (a+)+$ /x break; "
            "proxy_pass http://127.0.0.1:8501; }\n}\n",
            "Not understood",
            id="expression",
        ),
        pytest.param(
            "n.conf",
            "server {\n include /nope/missing.conf;\n}\n",
            "missing.conf",
            id="include",
        ),
        pytest.param(
            "site.conf",
            "ProxyPass / http://127.0.0.1:8501/ upgrade=websocket\n"
            "ProxyPreserveHost on\nInclude /nope/x.conf\n",
            "x.conf does not exist",
            id="apache",
        ),
        pytest.param("t.conf", "server { listen ${PORT}; }\n", "render it first", id="template"),
        pytest.param("h.yaml", "a: {{ .Values.b }}\n", "render it first", id="helm"),
    ],
)
def test_what_is_not_understood_is_said(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    (tmp_path / name).write_text(text)
    report = lint_file(tmp_path / name, App())

    assert any(expected in note.text for note in report.notes), report.notes


def lines(report_of: str, tmp_path: Path, app: App | None = None) -> str:
    path = tmp_path / "n.conf"
    path.write_text(report_of)
    known = app or App()
    return "\n".join(what_to_try(lint_file(path, known), known))


NGINX = "server {\n  listen 80;\n  location / {\n    proxy_pass %s;\n  }\n}\n"


@pytest.mark.parametrize(
    ("target", "tried"),
    [
        ("http://127.0.0.1:8502", "127.0.0.1:8502"),
        ("http://unix:/run/a.sock", "unix:/run/a.sock"),
        ("http://dashboard", "dashboard:80"),
    ],
)
def test_no_route_names_what_was_found(target: str, tried: str, tmp_path: Path) -> None:
    text = lines(NGINX % target, tmp_path)

    assert f"line 4, passes to {tried}: if that is the app, try --upstream {tried}" in text
    assert "nothing is passed to port 8501" in text


def test_no_route_never_claims_what_it_did_not_understand(tmp_path: Path) -> None:
    text = lines(NGINX % "http://$unknown", tmp_path)

    assert "nothing is passed" not in text
    assert "not understood" in text


def test_no_route_speaks_of_the_given_upstream(tmp_path: Path) -> None:
    text = lines(NGINX % "http://a:1", tmp_path, App(upstream=HostPort("b", 2)))

    assert "nothing is passed to b:2 (--upstream)" in text
    assert "8501" not in text


def test_files_are_checked_together(tmp_path: Path) -> None:
    """The Service of one file is what the Ingress of another leads to."""
    text = (CORPUS / "yaml" / "service_target_port.yaml").read_text()
    service, ingress = text.split("---\n")
    (tmp_path / "service.yaml").write_text(service)
    (tmp_path / "ingress.yaml").write_text(ingress)
    alone = lint_file(tmp_path / "ingress.yaml", App())
    together = lint_files([tmp_path / "ingress.yaml", tmp_path / "service.yaml"], App())

    assert not alone.routes
    assert "unknown" in alone.notes[0].text
    assert together.routes


TRAEFIK = """http:
  routers:
    app: { rule: "PathPrefix(`/app`)", service: app, middlewares: [ host ] }
  middlewares:
    host: { headers: { customRequestHeaders: { Host: "%s" } } }
  services:
    app: { loadBalancer: { servers: [ { url: "http://127.0.0.1:28501" } ] } }
"""


@pytest.mark.parametrize(
    ("host", "codes"),
    [
        ("localhost:28501", ["STL501"]),
        ("127.0.0.1:28501", ["STL501"]),
        ("localhost", ["STL501"]),
        ("example.com:28501", []),
        ("localhost:8443", []),
    ],
)
def test_the_apps_own_host_is_known_by_its_port(
    host: str, codes: list[str], tmp_path: Path
) -> None:
    """At whatever port: no page shows the app's own machine as its address."""
    (tmp_path / "traefik.yaml").write_text(TRAEFIK % host)
    report = lint_file(tmp_path / "traefik.yaml", App(port=28501))

    assert [finding.code for finding in report.findings] == codes


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        pytest.param("blog_bare.conf", (), 1, id="errors"),
        pytest.param("frame_options_deny.conf", (), 0, id="warnings"),
        pytest.param("frame_options_deny.conf", ("--strict",), 1, id="warnings-strict"),
        pytest.param("good_minimal.conf", ("--strict",), 0, id="healthy"),
        pytest.param("template_noroute_jinja.conf", (), 4, id="no-verdict"),
    ],
)
def test_exit_codes(name: str, words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    shutil.copy(CORPUS / "nginx" / name, tmp_path / "site.conf")
    done = run("lint", "site.conf", "--json", *words, cwd=tmp_path)

    assert done.returncode == code
    assert json.loads(done.stdout)["strict"] is bool(words)


def test_upstream_may_be_a_socket(tmp_path: Path) -> None:
    (tmp_path / "n.conf").write_text(NGINX % "http://unix:/run/app.sock")
    done = run("lint", "n.conf", "--upstream", "unix:/run/app.sock", cwd=tmp_path)

    assert done.returncode == 1
    assert "STL301" in done.stdout


def test_list_that_holds_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    route = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}}"
    path.write_text(f"&a\napiVersion: v1\nkind: List\nitems: [*a, {route}]\n")

    assert lint_file(path, App()).findings == []
