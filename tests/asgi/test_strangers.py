"""What a stranger may send to a server on the open internet, and what must not come of it."""

from __future__ import annotations

import pytest

from tests.asgi.driver import Recorder, make, request


@pytest.mark.parametrize("query", [b"a&b&c&d&e&f&g&h&i&j", b"&" * 500, b"n=%ff&ticket=%ff"])
@pytest.mark.parametrize("path", ["/app/_stlaunch/page.js", "/app/_stcore/stream"])
def test_a_query_of_many_fields_breaks_nothing(path: str, query: bytes) -> None:
    """Before, it ended in a traceback: one more for each request, in everybody's log."""
    answer = request(make(Recorder()), path, query=query)

    assert answer.status == (200 if path.endswith(".js") else 426)
