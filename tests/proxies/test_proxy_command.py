"""`stlaunch proxy` and `stlaunch lint` as a user meets them: output, files, exit codes, speed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.proxies.app_facts import AppFacts
from stlaunch.proxies.configuration import KINDS
from stlaunch.proxies.site_options import Asked, plan_site
from tests.proxies.golden import FOLDER, URL

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "lint" / "corpus"


def run(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STLAUNCH_", "STREAMLIT_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", *words],
        cwd=cwd,
        env=clean | {"HOME": str(cwd), "COLUMNS": "100"} | environ,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_output_is_the_same_in_every_process() -> None:
    """No set order, no time and no path of this machine gets into it."""
    code = (
        "import json, sys; from tests.proxies.golden import texts; json.dump(texts(), sys.stdout)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            timeout=170,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(outputs) == 1


@pytest.mark.parametrize("kind", ["nginx", "azure-gateway", "iis"])
def test_prints_the_configuration(kind: str, tmp_path: Path) -> None:
    done = run("proxy", kind, "--public-url", URL, cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout == (FOLDER / f"{kind}.kept.txt").read_text()


@pytest.mark.parametrize(
    ("secrets", "form"),
    [("[auth]\nclient_secret = 'hush'\n", "login"), ("[db]\nx = 1\n", "kept"), ("[auth", "kept")],
)
def test_an_app_with_a_login_gets_room_for_its_cookies(
    secrets: str, form: str, tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets)
    done = run("proxy", "nginx", "--public-url", URL, cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout == (FOLDER / f"nginx.{form}.txt").read_text()
    assert "hush" not in done.stdout + done.stderr


def test_forms_differ(tmp_path: Path) -> None:
    whole = run("proxy", "nginx", "--public-url", URL, cwd=tmp_path).stdout
    snippet = run("proxy", "nginx", "--public-url", URL, "--snippet", cwd=tmp_path).stdout
    explained = run("proxy", "nginx", "--public-url", URL, "--explain", cwd=tmp_path).stdout

    assert "events {" in whole
    assert "events {" not in snippet
    assert "location /streamlitApp/ {" in snippet
    assert "^ nginx refuses bodies above 1 MB" in explained


def test_path_and_limits_come_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "streamlit_app.py").touch()
    (tmp_path / "stlaunch.toml").write_text('behind_proxy = "/board"\nport = 9001\n')
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[server]\nmaxUploadSize = 300\n")
    text = run("proxy", "nginx", cwd=tmp_path).stdout

    assert "location /board/ {" in text
    assert "proxy_pass http://127.0.0.1:9001;" in text
    assert "client_max_body_size 301m;" in text


@pytest.mark.parametrize(
    ("project", "words", "left_out"),
    [
        pytest.param('["/a", "/b", "/c"]', (), "/b, /c", id="paths"),
        pytest.param('["/a", "https://example.com/b"]', (), "/a", id="url"),
        pytest.param('["/a", "/b"]', ("--public-url", "/b"), "", id="chosen"),
        pytest.param('"/a"', (), "", id="one"),
    ],
)
def test_paths_that_are_left_out_are_named(
    project: str, words: tuple[str, ...], left_out: str, tmp_path: Path
) -> None:
    (tmp_path / "stlaunch.toml").write_text(f"behind_proxy = {project}\n")
    said = run("proxy", "traefik-docker", *words, cwd=tmp_path).stderr

    assert said.startswith(f"Left out: {left_out}.") if left_out else said == ""


def test_a_file_that_stops_the_app_leaves_it_time_to_drain(tmp_path: Path) -> None:
    (tmp_path / "stlaunch.toml").write_text("drain_timeout = 120\n")
    text = run("proxy", "traefik-docker", "--public-url", URL, cwd=tmp_path).stdout

    assert "\n    stop_grace_period: 135s\n" in text


def test_unix_socket_is_refused_by_name(tmp_path: Path) -> None:
    done = run("proxy", "nginx", cwd=tmp_path, STLAUNCH_UDS="/run/app.sock")

    assert done.returncode == 2
    assert "/run/app.sock" in done.stderr


def test_output_is_written_once_and_never_over_a_file(tmp_path: Path) -> None:
    words = ("proxy", "caddy", "--public-url", URL, "-o", "Caddyfile")
    first = run(*words, cwd=tmp_path)
    target = tmp_path / "Caddyfile"
    written = target.read_text()
    target.write_text("mine")
    second = run(*words, cwd=tmp_path)

    assert (first.returncode, first.stdout) == (0, "")
    assert "reverse_proxy {" in written
    assert second.returncode == 2
    assert "--force" in second.stderr
    assert target.read_text() == "mine"
    assert run(*words, "--force", cwd=tmp_path).returncode == 0
    assert target.read_text() == written
    assert [path.name for path in tmp_path.iterdir()] == ["Caddyfile"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(("ngnix",), "Did you mean 'nginx'?", id="kind"),
        pytest.param(("nginx", "--snippet", "--explain"), "cannot be combined", id="forms"),
        pytest.param(("nginx", "--public-url", "/a b"), "cannot hold", id="path"),
        pytest.param(("nginx", "--verify"), "--public-url https://", id="verify"),
        pytest.param(("nginx", "-o", "no/where"), "cannot be written", id="folder"),
        pytest.param(("nginx", "nope.py"), "does not exist", id="app"),
    ],
)
def test_mistake_is_a_sentence_and_a_hint(
    words: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    done = run("proxy", *words, cwd=tmp_path)

    assert done.returncode in {2, 3}
    assert done.stderr.startswith("Error: ")
    assert expected in done.stderr
    assert done.stdout == ""


def test_imports_nothing_heavy(tmp_path: Path) -> None:
    words = ("-X", "importtime", "-m", "stlaunch", "proxy", "nginx")
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, check=True, capture_output=True, timeout=170
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}

    assert "stlaunch.proxies.configuration" in imported
    assert not imported & {"streamlit", "starlette", "uvicorn", "yaml", "crossplane", "jinja2"}


@pytest.mark.parametrize(
    ("toml", "project", "environ", "path_and_port"),
    [
        pytest.param(
            'baseUrlPath = "my.app"\nport = 28501', "", {}, ("/my.app/", 28501), id="streamlits"
        ),
        pytest.param(
            'baseUrlPath = "/"',
            "",
            {"STREAMLIT_SERVER_BASE_URL_PATH": "x"},
            ("/x/", 8501),
            id="env",
        ),
        pytest.param(
            'baseUrlPath = "old"',
            'behind_proxy = "/new"\nport = 9000',
            {"STREAMLIT_SERVER_PORT": "9001"},
            ("/new/", 9001),
            id="ranked",
        ),
        pytest.param(
            "",
            'behind_proxy = "/new"',
            {"K_SERVICE": "board", "K_REVISION": "board-1", "PORT": "8080"},
            ("/new/", 8080),
            id="platform",
        ),
    ],
)
def test_path_and_port_are_those_that_the_app_gets(
    toml: str, project: str, environ: dict[str, str], path_and_port: tuple[str, int], tmp_path: Path
) -> None:
    """One resolver: `proxy` and `config` agree, whichever file or variable sets them."""
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(f"[server]\n{toml}\n")
    (tmp_path / "stlaunch.toml").write_text(f"{project}\n")
    (tmp_path / "app.py").write_text("import streamlit\n")
    path, port = path_and_port
    done = run("proxy", "nginx", "app.py", cwd=tmp_path, **environ)
    shown = run("config", "app.py", cwd=tmp_path, **environ).stdout

    assert f"location {path} {{" in done.stdout
    assert f"proxy_pass http://127.0.0.1:{port};" in done.stdout
    assert f"behind_proxy = {path} " in shown
    assert f"\nport = {port} " in shown


def test_defaults_need_no_app() -> None:
    site = plan_site(KINDS["nginx"], Asked(), AppFacts())

    assert (site.upstream, site.port, site.is_https) == ("127.0.0.1:8501", 80, False)


# --- lint


def test_lint_says_code_place_and_diff(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    shutil.copy(CORPUS / "nginx" / "blog_three_lines.conf", path)
    done = run("lint", "site.conf", cwd=tmp_path)

    assert done.returncode == 1
    assert "site.conf:4: STL501 error: " in done.stdout
    assert "+        proxy_set_header Host $http_host;\n" in done.stdout
    assert path.read_text() == (CORPUS / "nginx" / "blog_three_lines.conf").read_text()


def test_lint_knows_the_apps_place_from_its_project(tmp_path: Path) -> None:
    """As if `--upstream` and `--public-url` were given."""
    (tmp_path / "stlaunch.toml").write_text('uds = "/run/board.sock"\nbehind_proxy = "/board"\n')
    (tmp_path / "site.conf").write_text(
        "server {\n    location / { proxy_pass http://127.0.0.1:8501; }\n"
        "    location /boards/ { proxy_pass http://unix:/run/board.sock:/; }\n}\n"
    )
    stated = run("lint", "site.conf", "--json", cwd=tmp_path)
    words = ("--upstream", "unix:/run/board.sock", "--public-url", "/board")
    (tmp_path / "stlaunch.toml").unlink()
    asked = run("lint", "site.conf", "--json", *words, cwd=tmp_path)
    unknown = run("lint", "site.conf", "--json", cwd=tmp_path)

    assert json.loads(stated.stdout) == json.loads(asked.stdout)
    assert json.loads(stated.stdout) != json.loads(unknown.stdout)


def test_lint_says_which_setting_named_the_apps_place(tmp_path: Path) -> None:
    """A relative socket is below the folder that the app is started in."""
    (tmp_path / "stlaunch.toml").write_text('uds = "board.sock"\n')
    (tmp_path / "site.conf").write_text(
        "server {\n    location / { proxy_pass http://127.0.0.1:9; }\n}\n"
    )
    said = " ".join(run("lint", "site.conf", cwd=tmp_path).stdout.split())

    assert f"unix:{tmp_path / 'board.sock'} ({tmp_path / 'stlaunch.toml'})" in said


def test_lint_fixes_and_keeps_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    shutil.copy(CORPUS / "nginx" / "blog_bare.conf", path)
    fixed = run("lint", "site.conf", "--fix", cwd=tmp_path)
    again = run("lint", "site.conf", cwd=tmp_path)

    assert fixed.returncode == 0
    assert "+        proxy_http_version 1.1;\n" in fixed.stdout
    assert "site.conf.stlaunch.bak" in fixed.stderr
    backup = tmp_path / "site.conf.stlaunch.bak"
    assert backup.read_text() == (CORPUS / "nginx" / "blog_bare.conf").read_text()
    assert again.returncode == 0
    assert "0 findings" in again.stdout


def test_lint_as_json(tmp_path: Path) -> None:
    shutil.copy(CORPUS / "nginx" / "double_slash.conf", tmp_path / "site.conf")
    done = run("lint", "site.conf", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)

    assert (report["schema"], report["version"]) == ("stlaunch.lint/1", 1)
    assert [finding["code"] for finding in report["findings"]] == ["STL204"]
    assert report["findings"][0]["severity"] == "error"
    assert report["routes"] == ["site.conf:2 /app/"]


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        pytest.param(("x.txt",), 4, "none of nginx", id="unknown"),
        pytest.param(("good.conf",), 0, "1 route to the app, 0 findings", id="good"),
        pytest.param(("good.conf", "--upstream", "x:1"), 4, "No route to the app", id="elsewhere"),
        pytest.param(("nope.conf",), 2, "nope.conf does not exist", id="missing"),
        pytest.param(("good.conf", "--upstream", "x"), 2, "host:port", id="upstream"),
    ],
)
def test_lint_exit_codes(words: tuple[str, ...], code: int, expected: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello\n")
    shutil.copy(CORPUS / "nginx" / "good_minimal.conf", tmp_path / "good.conf")
    done = run("lint", *words, cwd=tmp_path)

    assert done.returncode == code
    assert expected in done.stdout + done.stderr


def test_lint_takes_limits_from_the_app(tmp_path: Path) -> None:
    shutil.copy(CORPUS / "nginx" / "good_minimal.conf", tmp_path / "site.conf")
    environ = {
        "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "500",
        "STREAMLIT_SERVER_WEBSOCKET_PING_INTERVAL": "90",
        "STREAMLIT_SERVER_TRUSTED_USER_HEADERS": '{"X-User": "name"}',
    }
    done = run("lint", "site.conf", "--fix", cwd=tmp_path, **environ)

    assert {"STL607", "STL606", "STL406"} <= set(done.stdout.split())
    assert done.returncode == 0
    assert 'proxy_set_header x-user "";' in (tmp_path / "site.conf").read_text()
