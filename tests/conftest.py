"""Fixtures that all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.harness.tls import Tls, make_tls

REPOSITORY = Path(__file__).parent.parent

# Where it is set, as in many images, each start of an app compiles all of Streamlit: 3.5 s of CPU
# time instead of 1.1.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# On a loaded machine a single example may wait longer than any deadline.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

pytest_plugins = ["tests.harness.fixtures", "tests.harness.tiers"]


@pytest.fixture(scope="session")
def hello_app() -> Path:
    """The example app that the journeys know."""
    return REPOSITORY / "examples" / "hello" / "streamlit_app.py"


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """One certificate for all test hosts, from an authority of this run."""
    return make_tls(tmp_path_factory.mktemp("tls"))
