"""HAProxy, Apache, Caddy and YAML: every seeded fault where it is, and the good files silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stlaunch.errors import UsageError
from stlaunch.lint import App, lint_file
from stlaunch.lint.edits import apply, edited, unified_diff
from stlaunch.proxies.configuration import KINDS
from tests.lint.test_nginx_corpus import found, seeded
from tests.proxies.golden import texts

CORPUS = Path(__file__).parent / "corpus" / "other"
FILES = sorted(CORPUS.iterdir())
NAMES = {
    "nginx": "nginx.conf",
    "apache": "site.conf",
    "caddy": "Caddyfile",
    "haproxy": "haproxy.cfg",
    "traefik": "dynamic.yaml",
    "traefik-docker": "compose.yaml",
    "gateway-api": "route.yaml",
    "ingress": "ingress.yaml",
}


def _with_its_marks(name: str, value: object) -> Any:
    """Return a parameter: what is Caddy's is read by Caddy itself."""
    return pytest.param(value, marks=pytest.mark.process if "caddy" in name else (), id=name)


@pytest.mark.parametrize("path", [_with_its_marks(path.name, path) for path in FILES])
def test_faults_are_found_where_they_are(path: Path) -> None:
    assert found(path) == seeded(path)
    assert bool(seeded(path)) != ("good" in path.name)
    assert lint_file(path, App()).routes


@pytest.mark.parametrize("form", ["kept", "other"])
@pytest.mark.parametrize("kind", [_with_its_marks(kind, kind) for kind in NAMES])
def test_generated_configuration_has_no_fault(kind: str, form: str, tmp_path: Path) -> None:
    """What `stlaunch proxy` writes, `stlaunch lint` finds nothing in, and knows the route."""
    assert kind in KINDS
    path = tmp_path / NAMES[kind]
    path.write_text(texts()[f"{kind}.{form}.txt"])
    report = lint_file(path, App())

    assert report.findings == []
    assert report.routes


def test_apache_fix_is_a_diff_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    text = (CORPUS / "apache_bad.conf").read_text().replace(" timeout=10 #! STL301", " #! STL301")
    path.write_text(text.replace(" #!", "\n    #!"))
    before = path.read_text()
    changes = edited(edit for item in lint_file(path, App()).findings for edit in item.edits)
    diff = unified_diff(changes)
    backups = apply(changes)

    assert "+    ProxyPass /app http://127.0.0.1:8501/ upgrade=websocket\n" in diff
    assert "+    ProxyPreserveHost On\n" in diff
    assert [backup.read_text() for backup in backups] == [before]
    assert not {"STL301", "STL501"} & {code for code, _, _ in found(path)}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param("a.yaml", "a: [", "a.yaml, line 1", id="yaml"),
        pytest.param(
            "Caddyfile",
            "example.com {\n\tnonsense 1\n}\n",
            "Caddy refuses",
            marks=pytest.mark.process,
            id="caddy",
        ),
        pytest.param("nginx.conf", "server {\n", "not an nginx configuration", id="nginx"),
        pytest.param("nginx.conf", None, "does not exist", id="missing"),
    ],
)
def test_broken_file_is_an_error(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(UsageError, match=told):
        lint_file(tmp_path / name, App())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param("notes.txt", "Dear diary\n", "none of", id="unknown"),
        pytest.param(
            "n.conf",
            "server {\n location / { proxy_pass http://x:3000; }\n}\n",
            "No route",
            id="other",
        ),
        pytest.param(
            "n.conf",
            "server {\n location ~ \\.(php|app)$ { proxy_pass http://127.0.0.1:8501; }\n}\n",
            "not plain",
            id="regex",
        ),
        pytest.param(
            "n.conf",
            "server {\n location /a/ {\n  rewrite ^/a/(.*)$ /b/$1;\n"
            "  proxy_pass http://127.0.0.1:8501;\n }\n}\n",
            "rewrite without `break`",
            id="rewrite",
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
            "ProxyPreserveHost on\nInclude x.conf\n",
            "is not followed",
            id="apache",
        ),
    ],
)
def test_what_is_not_understood_is_said(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    report = lint_file(tmp_path / name, App())

    assert any(told in note.text for note in report.notes), report.notes


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    text = "ProxyPass / http://127.0.0.1:8501/\r\nProxyPreserveHost Off\r\n"
    path.write_bytes(text.encode())
    apply(edited(edit for item in lint_file(path, App()).findings for edit in item.edits))

    expected = "ProxyPass / http://127.0.0.1:8501/ upgrade=websocket\r\nProxyPreserveHost On\r\n"
    assert path.read_bytes() == expected.encode()


def test_list_that_holds_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    route = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}}"
    path.write_text(f"&a\napiVersion: v1\nkind: List\nitems: [*a, {route}]\n")

    assert lint_file(path, App()).findings == []
