"""Until the app listens the collector rests; then everything is as it was."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution

import pytest

from stlaunch import streamlit_adapter
from stlaunch.process import quick_start


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    yield
    quick_start.end()
    streamlit_adapter.parse_metadata_as_usual()


def test_begin_pauses_the_collector_and_end_undoes_it() -> None:
    quick_start.begin()
    is_paused = not gc.isenabled()
    quick_start.end()

    assert is_paused
    assert gc.isenabled()


def test_metadata_is_parsed_once_and_the_same() -> None:
    before = vars(Distribution)["metadata"]
    plain = distribution("streamlit").metadata
    streamlit_adapter.parse_metadata_once()
    streamlit = distribution("streamlit")

    first, second = streamlit.metadata, streamlit.metadata

    assert first is second
    assert first.json == plain.json
    assert (streamlit.name, streamlit.version) == (plain["Name"], plain["Version"])
    assert distribution("click").metadata["Name"] == "click"
    streamlit_adapter.parse_metadata_as_usual()
    assert vars(Distribution)["metadata"] is before


def test_end_alone_leaves_the_process_of_somebody_else_alone() -> None:
    gc.disable()
    quick_start.end()
    is_enabled = gc.isenabled()
    gc.enable()

    assert not is_enabled


def test_a_start_does_without_what_is_slow_to_import() -> None:
    """The import of psutil alone takes 22 ms; it is needed where the app ends."""
    code = "import sys, stlaunch.cli.run, stlaunch.launcher.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = done.stdout.split()
    assert "stlaunch.server.serve" in loaded
    assert not {"psutil", "tomlkit", "difflib", "stlaunch.process.children"} & set(loaded)
