"""`stlaunch deploy` says what the project's own settings say: path, address, port, stop time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stlaunch.cli.deploy import make_deployment
from stlaunch.cli.proxy import read_app
from stlaunch.deploy import DeployKind, Deployment, render
from stlaunch.errors import UsageError
from stlaunch.proxies.stopping import DRAIN_S, stop_timeout_s
from stlaunch.settings.fields import DRAIN_TIMEOUT
from tests.conftest import REPOSITORY
from tests.deploy.test_generated import run_deploy

URL = "https://example.com/board"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine, and a platform whose path and port must not get into a file."""
    for name in ("STLAUNCH_PORT", "STLAUNCH_BEHIND_PROXY", "STREAMLIT_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("K_SERVICE", "board")
    monkeypatch.setenv("K_REVISION", "board-1")
    monkeypatch.setenv("PORT", "8080")


def deployed(folder: Path, project: str, **more: str | None) -> Deployment:
    (folder / "app.py").write_text("import streamlit\n")
    (folder / "stlaunch.toml").write_text(project)
    facts: dict[str, str | None] = {"behind_proxy": None, "name": "board", "image": None}
    return make_deployment("app.py", replicas=2, cwd=folder, **(facts | more))  # type: ignore[arg-type]


def text_of(kind: DeployKind, deployment: Deployment) -> str:
    return render(kind, deployment)[0].text


def test_path_port_and_stop_time_come_from_the_project(tmp_path: Path) -> None:
    project = 'behind_proxy = "/streamlitApp"\nport = 9000\ndrain_timeout = 120.5\n'
    deployment = deployed(tmp_path, project)
    texts = {kind: text_of(kind, deployment) for kind in DeployKind}
    words = ["--behind-proxy", "/streamlitApp", "--host", "0.0.0.0", "--port", "9000"]
    command = json.dumps(["app.py", *words])

    assert f"\nCMD {command}\n" in texts[DeployKind.DOCKERFILE]
    assert f"\n    command: {command}\n" in texts[DeployKind.COMPOSE]
    assert f"\n          args: {command}\n" in texts[DeployKind.KUBERNETES]
    assert "EXPOSE 9000" in texts[DeployKind.DOCKERFILE]
    assert "containerPort: 9000" in texts[DeployKind.KUBERNETES]
    assert 'value: "/streamlitApp"' in texts[DeployKind.KUBERNETES]
    assert "--behind-proxy /streamlitApp --uds" in texts[DeployKind.SYSTEMD]
    assert not any("8501" in text for text in texts.values())
    assert "--stop-timeout 136 " in texts[DeployKind.DOCKERFILE]
    assert "stop_grace_period: 136s" in texts[DeployKind.COMPOSE]
    assert "terminationGracePeriodSeconds: 141" in texts[DeployKind.KUBERNETES]
    assert "TimeoutStopSec=136" in texts[DeployKind.SYSTEMD]


@pytest.mark.parametrize(
    ("project", "flag", "words"),
    [
        pytest.param("", None, "--behind-proxy /", id="nothing"),
        pytest.param(f'public_url = "{URL}"', None, f"--behind-proxy {URL}/", id="url"),
        pytest.param(
            'public_url = "https://example.com"\nbehind_proxy = "/board"',
            None,
            f"--behind-proxy {URL}/",
            id="host-and-path",
        ),
        pytest.param(
            f'behind_proxy = ["/old", "{URL}"]',
            None,
            f"--behind-proxy {URL}/ --behind-proxy /old",
            id="two-paths",
        ),
        pytest.param("behind_proxy = true", None, "--behind-proxy on", id="detected"),
        pytest.param("behind_proxy = false", None, "--behind-proxy /", id="off"),
        pytest.param('behind_proxy = "/a"', URL, f"--behind-proxy {URL}/", id="flag-wins"),
        pytest.param(
            'host = "127.0.0.1"', None, "--behind-proxy / --host 0.0.0.0 --port 8501", id="host"
        ),
        pytest.param(
            'host = "::"\nport = 0', None, "--behind-proxy / --host :: --port 8501", id="any"
        ),
        pytest.param(
            'uds = "a.sock"', None, "--behind-proxy / --host 0.0.0.0 --port 8501", id="socket"
        ),
    ],
)
def test_image_gets_the_flags_that_its_project_needs(
    project: str, flag: str | None, words: str, tmp_path: Path
) -> None:
    deployment = deployed(tmp_path, f"{project}\n", behind_proxy=flag)

    assert deployment.command == ("app.py", *words.split())


@pytest.mark.parametrize(
    "project",
    [
        f'public_url = "{URL}"\nport = 9000',
        'behind_proxy = ["/a", "/b"]\nuds = "x.sock"',
        'public_url = "https://example.com"\nbehind_proxy = "/board"',
        "behind_proxy = true",
        "behind_proxy = false",
    ],
)
def test_image_starts_with_the_same_project(project: str, tmp_path: Path) -> None:
    """The flags and the file in the image agree, and give what the generated files say."""
    deployment = deployed(tmp_path, f"{project}\n")
    said: dict[str, list[str]] = {}
    for flag, value in zip(deployment.command[1::2], deployment.command[2::2], strict=True):
        said.setdefault(flag[2:].replace("-", "_"), []).append(value)
    _, settings = read_app("app.py", cwd=tmp_path, said=said, hits=())

    assert settings.uds.value is None
    assert settings.port.value == deployment.port
    assert settings.public_url.value == deployment.public_url
    assert settings.public_paths == deployment.public_paths or deployment.detects_path


@pytest.mark.parametrize(
    ("project", "trusted"),
    [
        pytest.param("", "unix", id="nothing"),
        pytest.param('trusted_proxies = ["10.0.0.0/8", "unix"]', "unix,10.0.0.0/8", id="list"),
        pytest.param('trusted_proxies = "none"', "unix", id="none"),
    ],
)
def test_units_trust_what_the_project_trusts(project: str, trusted: str, tmp_path: Path) -> None:
    text = text_of(DeployKind.SYSTEMD, deployed(tmp_path, f"{project}\n"))

    assert re.findall(r"--trusted-proxies (\S+)$", text, re.MULTILINE) == [trusted]


def test_address_of_streamlits_own_is_overridden(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text('[server]\naddress = "localhost"\n')

    assert "--host" in deployed(tmp_path, "").command


def test_a_flag_that_contradicts_the_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--behind-proxy .* contradict"):
        deployed(tmp_path, f'public_url = "{URL}"\n', behind_proxy="/other")


def test_compose_names_an_address_that_the_app_accepts(tmp_path: Path) -> None:
    """With a public URL the app refuses pages at any other address: there is nothing to open."""
    with_url = text_of(DeployKind.COMPOSE, deployed(tmp_path, f'public_url = "{URL}"\n'))
    with_path = text_of(DeployKind.COMPOSE, deployed(tmp_path, 'behind_proxy = "/board"\n'))

    assert "open http" not in with_url
    assert f"\n# and have your proxy forward {URL}/ to 127.0.0.1:8080\n" in with_url
    assert "\n# and open http://127.0.0.1:8080/board/\n" in with_path


def test_route_matches_every_public_path(tmp_path: Path) -> None:
    text = text_of(DeployKind.KUBERNETES, deployed(tmp_path, 'behind_proxy = ["/a", "/b"]\n'))

    assert re.findall(r'PathPrefix, value: "(.*?)"', text) == ["/a", "/b"]


# --- stop times


def test_drain_timeout_is_that_of_the_setting() -> None:
    assert DRAIN_TIMEOUT.default == DRAIN_S


@pytest.mark.parametrize("path", ["examples/docker/compose.yaml", "stlaunch/handbook/run.md"])
def test_hand_written_files_leave_time_to_drain(path: str) -> None:
    text = (REPOSITORY / path).read_text("utf-8")

    assert f"stop_grace_period: {stop_timeout_s(DRAIN_S)}s" in text


def test_every_docker_run_of_ours_leaves_time_to_drain() -> None:
    text = (REPOSITORY / "examples" / "docker" / "Dockerfile").read_text("utf-8")

    assert f"docker run --rm --stop-timeout {stop_timeout_s(DRAIN_S)} " in text


# --- settings that an image lacks


@pytest.mark.parametrize(
    ("kind", "project", "said"),
    [
        pytest.param(
            "compose",
            'port = 9000\ndrain_timeout = 60\nembed_in = "https://a.example"',
            "The image does not contain {file}: set STLAUNCH_DRAIN_TIMEOUT, STLAUNCH_EMBED_IN "
            "where it runs.\n",
            id="image",
        ),
        pytest.param("dockerfile", 'behind_proxy = "/board"\nport = 9000', "", id="in-command"),
    ],
)
def test_what_an_image_lacks_is_named(kind: str, project: str, said: str, tmp_path: Path) -> None:
    """The project file is above the folder that the image is built from."""
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "app.py").write_text("import streamlit\n")
    (tmp_path / "stlaunch.toml").write_text(f"{project}\n")
    above = run_deploy(kind, "app.py", cwd=folder)
    inside = run_deploy(kind, "board/app.py", cwd=tmp_path)

    assert above.stderr == said.format(file=tmp_path / "stlaunch.toml")
    assert (above.returncode, inside.returncode, inside.stderr) == (0, 0, "")
