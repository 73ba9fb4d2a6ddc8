"""The startup banner: eight lines at most, and the address to open last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from stlaunch.cli.app_command import request_of
from stlaunch.cli.run import run_command
from stlaunch.launcher.facts import gather_facts
from stlaunch.launcher.plan import plan_launch
from stlaunch.launcher.render import render_banner

LISTENING = "http://0.0.0.0:8501"
REPLICAS = (("instances", "3 behind HAProxy"), ("restart them", "kill -HUP 1, one by one"))
HERE = "http://127.0.0.1:8501/"


@pytest.mark.parametrize(
    ("words", "to_open"),
    [
        ([], HERE),
        (["--behind-proxy", "/app"], "/app/ at your proxy's address"),
        (["--behind-proxy"], "the app's path at your proxy's address"),
        (["--behind-proxy", "https://example.com/app"], "https://example.com/app/"),
        (["--public-url", "https://example.com/"], "https://example.com/"),
        (["--uds", "app.sock"], "the app's path at your proxy's address"),
    ],
    ids=["local", "path", "unknown", "public", "public-root", "unix"],
)
@pytest.mark.parametrize("more", [(), REPLICAS], ids=["one", "replicas"])
def test_the_banner_is_short_and_ends_with_the_address(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    to_open: str,
    more: Sequence[tuple[str, str]],
) -> None:
    (tmp_path / "app.py").write_text("import streamlit\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with run_command.make_context("stlaunch", ["app.py", *words]) as ctx:
        request = request_of(ctx, ctx.params["app"])
    plan = plan_launch(request, gather_facts(request, os.environ))
    lines = render_banner(plan, LISTENING, more=more).splitlines()

    assert len(lines) <= 8
    assert lines[-1].split(maxsplit=1) == ["open", to_open]
    assert "config.toml" not in "\n".join(lines)
    assert all(len(line) <= 80 for line in lines if str(tmp_path) not in line), lines
