"""What the browser tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.server import RunningServer
from tests.harness.site import start_app


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The hello app under stlaunch, one for all proxies of a file: they keep and strip its path."""
    with start_app("--prefix", "both") as server:
        yield server
