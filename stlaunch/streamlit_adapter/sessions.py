"""The sessions of the running app, for draining."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from stlaunch.quick_dataclass import dataclass
from stlaunch.streamlit_adapter import internals

_FLUSH_S = 1.0
_MAX_READ_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """One connected session of Streamlit's runtime."""

    _session: Any
    _client: Any

    @property
    def id(self) -> str:
        """Streamlit's id of the session."""
        return str(self._session.id)

    @property
    def is_running(self) -> bool:
        """Whether a script is running."""
        return internals.is_running(self._session)

    @property
    def is_busy(self) -> bool:
        """Whether a script is running, or some of its output has not been sent yet."""
        return self.is_running or internals.has_undelivered(self._session, self._client)

    @property
    def has_socket(self) -> bool:
        """Whether a page is connected, by a WebSocket or a tunnel."""
        return internals.socket_of(self._client) is not None

    def let_no_run_follow(self) -> None:
        """Make the current script run the last one, whoever asks for more; call it once."""
        internals.let_no_run_follow(self._session)

    async def close(self, code: int) -> None:
        """Close the page's socket after everything that was sent."""
        socket = internals.socket_of(self._client)
        if socket is not None:
            await socket.close(code)


async def wait_for_flush() -> bool:
    """Wait until everything queued for a page so far has reached its socket's own queue.

    The runtime takes all messages out of a session's queue at once, and then sends them one at a
    time: an empty queue alone does not show that they have been sent. Return False if it takes more
    than a second.
    """
    request = internals.flush_request()
    if request is None:
        return True
    request.set()
    end_at = time.monotonic() + _FLUSH_S
    while request.is_set():  # cleared, and perhaps set again, within a few turns of the loop
        if time.monotonic() > end_at:
            return False
        await asyncio.sleep(0)
    return True


def connected_sessions() -> list[Session]:
    """Return all sessions whose page, or agent, is connected; none if the app has not started.

    Call it in the app's event loop.
    """
    return [Session(session, client) for session, client in internals.connected_sessions()]


async def run_once() -> str:
    """Run the script in a throw-away session; return what went wrong, empty if nothing."""
    match await internals.run_script_once():
        case "":
            return ""
        case "timeout":
            return "the script did not end within a minute"
        case _:
            return "the script raised an error"


def page_of(data: bytes) -> str | None:
    """Return the path, below the app's, of the page that a message asks for, such as `/report`.

    None for messages that ask for no run, and for one that is too large to parse.
    """
    if len(data) > _MAX_READ_BYTES:
        return None
    found = internals.read_page(data)
    if found is None:
        return None
    page_hash, name = found
    page = internals.pages().get(page_hash) if page_hash else None
    if page is not None:
        name = page.get("url_pathname", "")  # empty for the main page
    return f"/{name.strip('/')}"
