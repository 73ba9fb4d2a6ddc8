"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent

pytest_plugins = ["tests.harness.fixtures"]


@pytest.fixture(scope="session")
def hello_app() -> Path:
    """The example app that the journeys know."""
    return REPOSITORY / "examples" / "hello" / "streamlit_app.py"
