"""Planning is pure: it takes environment and facts as arguments, and touches nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from stlaunch.launcher.effective import effective_settings
from stlaunch.launcher.facts import Facts, gather_facts
from stlaunch.launcher.plan import plan_launch
from stlaunch.launcher.render import render_plan
from stlaunch.settings.request import LaunchRequest, read_request
from stlaunch.storage import state_folder
from tests.platforms.samples import SAMPLES

SECRETS = '[auth]\nredirect_uri = "https://other.test/oauth2callback"\nTOP_SECRET = "mellon"\n'


class Untouchable(Mapping[str, str]):
    """An environment that fails when it is read."""

    def __getitem__(self, name: str) -> NoReturn:
        raise AssertionError(f"os.environ[{name!r}] was read")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("os.environ was read")

    def __len__(self) -> int:
        raise AssertionError("os.environ was read")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("import streamlit as st\n", encoding="utf-8")
    own = tmp_path / ".streamlit"
    own.mkdir()
    (own / "config.toml").write_text("[server]\nport = 8700\n", encoding="utf-8")
    (own / "secrets.toml").write_text(SECRETS, encoding="utf-8")
    return tmp_path


def make_request(folder: Path, environ: Mapping[str, str]) -> LaunchRequest:
    values = {"behind_proxy": ["https://example.com/app"]}
    return read_request("app.py", cwd=folder, values=values, environ=environ)


def make_facts(folder: Path, environ: Mapping[str, str]) -> tuple[LaunchRequest, Facts]:
    request = make_request(folder, environ)
    return request, gather_facts(request, environ)


def test_a_plan_reads_no_environment_and_no_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {**SAMPLES["code-server"].environ, "HOME": str(folder / "home")}
    request, facts = make_facts(folder, environ)

    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError("the machine was asked")

    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", Untouchable())
        for name in ("getcwd", "stat", "listdir", "mkdir", "access"):
            patched.setattr(os, name, refuse)
        patched.setattr("builtins.open", refuse)
        plan = plan_launch(request, facts)
        rows = effective_settings(plan)
        shown = render_plan(plan, as_json=True)

    assert plan.settings.port.value == 8700
    assert [str(path) for path in plan.settings.public_paths] == ["/app"]
    assert "oauth2callback" in " ".join(plan.warnings)
    assert {row.name for row in rows} >= {"port", "server.baseUrlPath"}
    assert "stlaunch.plan/1" in shown


def test_gathering_facts_leaves_process_streamlit_and_disk_as_they_were(folder: Path) -> None:
    from streamlit import config

    config.get_option("server.port")  # something is loaded
    before = (config._main_script_path, config._config_options, dict(os.environ))
    files = sorted(folder.rglob("*"))
    environ = {"HOME": str(folder / "home"), "STREAMLIT_SERVER_PORT": "8701"}

    _, facts = make_facts(folder, environ)

    assert facts.user_options["server.port"].value == 8701
    assert facts.redirect_uri == "https://other.test/oauth2callback"
    assert (config._main_script_path, config._config_options, dict(os.environ)) == before
    assert config._config_options is before[1]
    assert sorted(folder.rglob("*")) == files


def test_one_home_for_the_knowledge_where_state_is(folder: Path) -> None:
    """What a start writes, `stlaunch health` finds."""
    from stlaunch.storage import running_apps
    from stlaunch.storage.running_file import RunningFile

    environ = {"XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder)}
    for names in (["XDG_STATE_HOME", "TMPDIR"], ["TMPDIR"]):
        seen = {name: environ[name] for name in names} | {"HOME": str(folder / "app.py")}
        state = state_folder.state_folder(folder / "app.py", seen)
        assert state is not None
        assert state_folder.claim_state(state, seen)
        url = f"http://127.0.0.1:1/{len(names)}"
        file = RunningFile(state, url)

        assert url in running_apps.running_urls(seen)
        file.remove()
        assert url not in running_apps.running_urls(seen)
