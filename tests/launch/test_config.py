"""`stlaunch config`, `stlaunch detect` and the dry run: complete, truthful, and without secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stlaunch.settings.fields import FIELDS
from tests.harness.ports import free_port
from tests.harness.server import measured_environment, start_server
from tests.platforms.samples import DATABRICKS_SECRET, SAMPLES, SECRETS

CONFIG = """\
# Our own colours.
[theme]
primaryColor = "#0b7a75"  # teal

[server]
# Large scans.
maxUploadSize = 500
port = 8700
"""
COOKIE_SECRET = "b2f1c8d77f0e4f5d9a6c3b2a1908f7e6"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("import streamlit as st\nst.title('Hi')\n", encoding="utf-8")
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def stlaunch(
    project: Path, *words: str, code: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "stlaunch", *words],
        cwd=project,
        env={
            "PATH": os.defpath,
            "HOME": str(project / "home"),
            **measured_environment(),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    document = json.loads(done.stdout)
    assert document["schema"] == "stlaunch.config/1"
    return {row["name"]: row for row in document["settings"]}


def test_config_shows_value_source_shadowed_and_bare(project: Path) -> None:
    done = stlaunch(
        project,
        *("config", "app.py", "--json", "--behind-proxy", "/app", "--server.maxUploadSize", "300"),
        STLAUNCH_PORT="8600",
        K_SERVICE="a",
        K_REVISION="b",
        PORT="9000",
        STREAMLIT_SERVER_COOKIE_SECRET=COOKIE_SECRET,
    )
    rows = rows_of(done)

    assert rows["port"]["value"] == 8600
    assert rows["port"]["where"] == "STLAUNCH_PORT"
    assert rows["port"]["source"] == "environment"
    assert rows["port"]["bare"] == 8700
    config = str(project / ".streamlit" / "config.toml")
    assert rows["port"]["shadowed"] == [
        {"where": config, "value": "8700"},
        {"where": "Google Cloud Run (PORT)", "value": "9000"},
    ]
    assert (rows["host"]["value"], rows["host"]["where"]) == ("0.0.0.0", "Google Cloud Run")
    assert (rows["behind_proxy"]["value"], rows["behind_proxy"]["bare"]) == (["/app/"], None)
    assert rows["server.enableCORS"]["value"] is True
    assert rows["server.maxUploadSize"]["where"] == "--server.maxUploadSize"
    assert rows["theme.primaryColor"]["value"] == "#0b7a75"
    assert {field.name for field in FIELDS} <= set(rows)
    assert (rows["drain_timeout"]["value"], rows["warm_up"]["value"]) == (20.0, "off")
    assert COOKIE_SECRET not in done.stdout + done.stderr


def test_config_write_merges_shows_and_keeps(project: Path) -> None:
    """Comments and order stay, the change is shown, the file as it was is kept, twice is once."""
    path = project / ".streamlit" / "config.toml"
    words = ("config", "app.py", "--write", "--behind-proxy", "https://example.com/app")

    done = stlaunch(project, *words)
    again = stlaunch(project, *words)

    text = path.read_text(encoding="utf-8")
    written = tomllib.loads(text)
    assert text.startswith('# Our own colours.\n[theme]\nprimaryColor = "#0b7a75"  # teal\n')
    assert text.index("# Large scans.") < text.index("maxUploadSize = 500")
    assert written["server"]["baseUrlPath"] == "app"
    assert written["server"]["corsAllowedOrigins"] == ["https://example.com"]
    assert written["server"]["maxUploadSize"] == 500
    assert written["server"]["port"] == 8700
    assert written["browser"]["serverAddress"] == "example.com"
    assert '+baseUrlPath = "app"' in done.stdout
    assert "config.toml.bak" in done.stderr
    assert (project / ".streamlit" / "config.toml.bak").read_text(encoding="utf-8") == CONFIG
    assert again.stdout == ""
    assert "already" in again.stderr
    assert not (project / ".streamlit" / "config.toml.bak2").exists()


@pytest.mark.parametrize("quotes", ['"', "'", '"""', "'''"])
def test_config_write_shows_no_secret(project: Path, quotes: str) -> None:
    """The lines around a change are shown, too."""
    path = project / ".streamlit" / "config.toml"
    end = "\nand more" if len(quotes) > 1 else ""
    line = f"cookieSecret = {quotes}{COOKIE_SECRET}{end}{quotes}\n"
    path.write_text(f"{CONFIG}{line}", encoding="utf-8")

    done = stlaunch(project, "config", "app.py", "--write", "--behind-proxy", "/app")

    assert COOKIE_SECRET not in done.stdout + done.stderr
    assert "and more" not in done.stdout
    assert "cookieSecret = ***" in done.stdout
    assert line in path.read_text(encoding="utf-8")


def test_plain_streamlit_works_with_what_was_written(project: Path) -> None:
    """Where the platform strips the path, bare Streamlit must not have it."""
    (project / ".streamlit" / "config.toml").unlink()
    port = free_port()
    environ = {"SHINYPROXY_PUBLIC_PATH": "/app_proxy/1/"}
    words = ("config", "app.py", "--write", "--host", "127.0.0.1", "--port", str(port))

    done = stlaunch(project, *words, **environ)

    written = tomllib.loads((project / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert written["server"]["baseUrlPath"] == ""
    assert "--- " in done.stdout
    with start_server(
        [sys.executable, "-m", "streamlit", "run", "app.py"],
        cwd=project,
        ready_path="/_stcore/health",
        port=port,
    ):
        pass


def test_config_write_refuses_what_it_cannot_read(project: Path) -> None:
    (project / ".streamlit" / "config.toml").write_text("[server\n", encoding="utf-8")

    done = stlaunch(project, "config", "app.py", "--write", code=2)

    assert "is not valid TOML" in done.stderr
    assert (project / ".streamlit" / "config.toml").read_text(encoding="utf-8") == "[server\n"


def test_a_dry_run_is_complete_and_touches_nothing(project: Path) -> None:
    before = all_files(project)
    environ = SAMPLES["databricks-apps"].environ

    done = stlaunch(project, "app.py", "--dry-run", "--json", **environ)

    plan = json.loads(done.stdout)
    assert all_files(project) == before
    assert plan["schema"] == "stlaunch.plan/1"
    assert plan["listen"]["port"] == 8000
    assert plan["settings"]["port"]["source"] == "STREAMLIT_SERVER_PORT"
    assert plan["streamlit_options"]["server.enableCORS"] is True
    assert plan["streamlit_options"]["server.enableXsrfProtection"] is True
    assert "databricks-apps" in [platform["name"] for platform in plan["platforms"]]
    assert [finding["code"] for finding in plan["findings"]] == ["STL902"]
    assert DATABRICKS_SECRET not in done.stdout + done.stderr


def test_a_service_named_streamlit_server_does_no_harm(project: Path) -> None:
    done = stlaunch(
        project,
        *("app.py", "--dry-run", "--json"),
        KUBERNETES_SERVICE_HOST="10.96.0.1",
        STREAMLIT_SERVER_PORT="tcp://10.0.0.7:8501",
        STREAMLIT_PORT="tcp://10.0.0.7:8501",
        STLAUNCH_PORT="tcp://10.0.0.8:80",
    )
    plan = json.loads(done.stdout)

    assert plan["listen"]["port"] == 8700
    assert plan["is_path_found_out"] is True
    assert "STL906" in [finding["code"] for finding in plan["findings"]]


def test_detect_prints_its_document_and_loads_nothing_heavy(project: Path) -> None:
    environ = SAMPLES["jupyter-kernel"].environ
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stlaunch", "detect", "--json"],
        cwd=project,
        env={"PATH": os.defpath, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    document = json.loads(done.stdout)

    assert list(document) == ["schema", "platforms", "settings", "warnings"]
    assert document["schema"] == "stlaunch.detect/1"
    hit = next(item for item in document["platforms"] if item["name"] == "jupyter-kernel")
    assert hit["evidence"] == ["JPY_PARENT_PID"]
    assert hit["decides"]
    assert document["settings"]["base_path"] == "/user/ann/proxy/8501"
    assert document["settings"]["port"] == 8501
    assert [warning["code"] for warning in document["warnings"]] == ["STL909"]
    heavy = {"streamlit", "starlette", "uvicorn", "asyncio", "email", "tomlkit", "psutil", "http"}
    heavy |= {"importlib.resources", "importlib.metadata", "tempfile", "traceback", "ssl"}
    assert not imported & heavy
    assert "stlaunch.settings.fields" not in imported


def test_no_secret_of_the_environment_is_ever_shown(project: Path) -> None:
    environ = {
        name: value for sample in SAMPLES.values() for name, value in sample.environ.items()
    } | {
        "VSCODE_PROXY_URI": "https://ann:hunter2-hunter2@ide.example.com/proxy/{{port}}/",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "OPENAI_API_KEY": "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
        "DOMAIN_SOCKET": "",
        "STREAMLIT_SERVER_COOKIE_SECRET": COOKIE_SECRET,
    }
    secrets = (*SECRETS, "hunter2", "wJalrXUtnFEMI", "sk-proj", COOKIE_SECRET)
    words = [
        ("detect",),
        ("detect", "--json"),
        ("config", "app.py", "--json"),
        ("config", "app.py"),
        ("app.py", "--dry-run", "--json"),
        ("app.py", "--dry-run"),
    ]
    for line in words:
        done = stlaunch(project, *line, **environ)
        for secret in secrets:
            assert secret not in done.stdout + done.stderr, line


def test_detect_says_so_where_there_is_nothing(project: Path) -> None:
    done = stlaunch(project, "detect", PORT="5000")

    assert "Settings:" in done.stdout
    assert "port = 8501 (default)" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "before",
    [
        "server.port = 8700 # ours\n",
        "server = { port = 8700 }\n",
        "# ours\r\n[server]\r\nport = 8700\r\n",
        "[theme]\nbase = 'dark'\n[server]\nport = 8700",
    ],
    ids=["dotted", "inline", "crlf", "no final newline"],
)
def test_merging_knows_every_way_to_write_a_table(project: Path, before: str) -> None:
    path = project / ".streamlit" / "config.toml"
    path.write_bytes(before.encode())
    words = ("config", "app.py", "--write", "--behind-proxy", "/app")

    stlaunch(project, *words)
    again = stlaunch(project, *words)

    text = path.read_bytes().decode()
    written = tomllib.loads(text)["server"]
    assert (written["port"], written["baseUrlPath"]) == (8700, "app")
    assert text.count("\n") == text.count("\r\n") or "\r" not in text
    assert path.with_name("config.toml.bak").read_bytes() == before.encode()
    assert again.stdout == ""


def test_a_login_may_come_back_to_a_custom_domain_of_a_platform(project: Path) -> None:
    """Render's variable names demo.onrender.com; nobody says that it is the only address."""
    secrets = '[auth]\nredirect_uri = "https://www.example.com/oauth2callback"\n'
    (project / ".streamlit" / "secrets.toml").write_text(secrets, encoding="utf-8")

    done = stlaunch(project, "app.py", "--dry-run", "--json", **SAMPLES["render"].environ)

    plan = json.loads(done.stdout)
    assert plan["public_url"] == "https://demo.onrender.com/"
    assert plan["warnings"] == []
