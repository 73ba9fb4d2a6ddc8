"""What one load of a small app's page asks for, measured with Streamlit 1.67."""

from __future__ import annotations

MIN_REQUESTS = 66
"""At least."""
MAX_REQUESTS = 131
"""At most."""
CONNECTIONS = 7
"""At a time, over HTTP/1.1: six, and the WebSocket."""
HTTP2_SAVES = 12
"""Round trips of a first visit. Its scripts come in two waves, 62 and 17: 14 turns of six, or 2."""
ROOM = 200
"""Requests at once that a limit should let through."""


def fault_of_parallel(count: int, *, of_all: bool = False) -> str | None:
    """Return what a limit on simultaneous requests breaks, in a sentence; None where it is roomy.

    Args:
        count: the limit; 0 means none, as proxies have it.
        of_all: it counts the requests of all visitors together.
    """
    if not 0 < count < CONNECTIONS:
        return None
    if of_all:
        return (
            f"{count} request(s) of all visitors pass at a time, and one browser uses "
            f"{CONNECTIONS}: remove the limit, or raise it to {ROOM}."
        )
    return f"{count} request(s) pass at a time; one browser uses {CONNECTIONS}."
