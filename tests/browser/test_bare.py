"""The journeys pass against bare `streamlit run` without any proxy, so they prove what they say."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.harness.journeys import full, opens_websocket
from tests.harness.ports import free_port
from tests.harness.server import bare_streamlit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.browser import Visit
    from tests.harness.server import RunningServer

# A page opened directly guesses its base path; bare Streamlit answers the wrong guess with 404.
_GUESSES = re.compile(r"/second_page/_stcore/(health|host-config)")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(hello_app: Path) -> Iterator[RunningServer]:
    with bare_streamlit(hello_app, free_port()) as server:
        yield server


@pytest.mark.whole_chromium
def test_full_passes_without_a_proxy(visit: Visit, server: RunningServer) -> None:
    """The long journey, which starts with the short one, passes with nothing in front."""
    full(visit, server.url, restart=server.restart, allow=_GUESSES)


def test_websocket_opens_for_the_page_itself(visit: Visit, server: RunningServer) -> None:
    """The app's own page opens the WebSocket, so a refusal elsewhere means something."""
    outcome = opens_websocket(visit.page, server.url, _stream(server), ["streamlit"])

    assert outcome == "open"


@pytest.mark.parametrize("sandboxed", [False, True], ids=["page", "sandboxed-frame"])
def test_websocket_is_refused_to_another_site(
    visit: Visit, server: RunningServer, *, sandboxed: bool
) -> None:
    """A refused page of another site is distinguished from one that never reached the server."""
    outcome = opens_websocket(
        visit.page,
        "http://evil.example.test/",
        _stream(server),
        ["streamlit"],
        stand_in=True,
        sandboxed=sandboxed,
    )

    assert outcome == "refused"


def test_websocket_to_nobody_is_no_refusal(visit: Visit, server: RunningServer) -> None:
    """A mistaken address fails the test instead of passing for a defence."""
    nobody = f"ws://127.0.0.1:{free_port()}/"

    with pytest.raises(AssertionError, match="no refusal by the server"):
        opens_websocket(visit.page, server.url, nobody)


def test_asyncio_run_works_between_browser_tests() -> None:
    """The browser that is alive for the session does not keep others from their event loops."""

    async def answer() -> int:
        return 42

    assert asyncio.run(answer()) == 42


def _stream(server: RunningServer) -> str:
    return f"ws://127.0.0.1:{server.port}/_stcore/stream"
