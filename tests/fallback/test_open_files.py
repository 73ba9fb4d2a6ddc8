"""At the limit on open files new sessions are refused in words; those that are open go on."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from tests.fallback.client import Page
from tests.fallback.conftest import Serve


@pytest.fixture
def limit() -> Iterator[int]:
    """Lower the limit on open files of this process, for one test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    lowered = lowest_free + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, hard))
    yield lowered
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_session_near_the_limit_is_refused_and_others_go_on(serve: Serve, limit: int) -> None:
    """503 with Retry-After before the app begins; then there is room again."""
    url, _ = serve()
    page, other = Page(url), Page(url)
    page.open()
    held = []
    while not held or held[-1] < limit - 20:
        held.append(os.open(os.devnull, os.O_RDONLY))
    refused = other.open()
    page.send(b"hello")
    echoed = page.read(1)
    for number in held:
        os.close(number)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert [message.payload for message in echoed] == [b"hello"]
    assert other.open().status_code == 200
