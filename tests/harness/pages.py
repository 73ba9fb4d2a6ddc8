"""Pages without a browser: each runs its script again and again, and connects again when cut off.

Owns the counting of what a person would lose. It must not know who serves the app, or why it goes.
"""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from tests.harness.protocol import rerun_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

_RETRY_S = 0.1
_PAUSE_S = 0.5
"""Between two runs: a person who looks at the result."""
_MAX_RUN_S = 60


@dataclass(slots=True)
class Counts:
    """What happened to one page, or, added up, to all of them."""

    finished: int = 0
    lost: list[str] = field(default_factory=list)
    """Runs whose beginning the page saw, and whose end never came."""
    codes: dict[int, int] = field(default_factory=dict)
    """With which codes its connections were closed."""
    gaps_s: list[float] = field(default_factory=list)
    """How long it took each time until it was connected again."""

    def __add__(self, other: Counts) -> Counts:
        codes = self.codes | {
            code: self.codes.get(code, 0) + count for code, count in other.codes.items()
        }
        return Counts(
            self.finished + other.finished,
            [*self.lost, *other.lost],
            codes,
            [*self.gaps_s, *other.gaps_s],
        )

    def __str__(self) -> str:
        return (
            f"{self.finished} runs finished, {len(self.lost)} lost, "
            f"{len(self.gaps_s)} times cut off and connected again within at most "
            f"{max(self.gaps_s, default=0):.2f} s, close codes {self.codes}"
        )


class Page:
    """One page; `counts` may be read at any time."""

    def __init__(self, url: str, query: str, number: int) -> None:
        self.counts = Counts()
        self.is_connected = False
        self.trouble = ""
        self._url = url
        self._query = query
        self._name = f"page {number}"
        self._cookies: dict[str, str] = {}
        self._cut_off_at: float | None = None
        self._should_stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=self._name)

    def start(self) -> None:
        """Open the page."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the run that is going be the last one."""
        self._should_stop.set()

    def join(self) -> None:
        """Wait for the end of its last run."""
        self._thread.join(_MAX_RUN_S)

    def _live(self) -> None:
        try:
            self._open_front_page()
            while not self._should_stop.is_set():
                self._connect_and_run()
                self.is_connected = False
        except Exception as exc:  # noqa: BLE001 - told in the main thread
            self.trouble = f"{self._name}: {exc!r}"

    def _open_front_page(self) -> None:
        host = self._url.removeprefix("http://").partition("/")[0]
        with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
            connection.request("GET", self._url.removeprefix(f"http://{host}"))
            response = connection.getresponse()
            response.read()
            assert response.status == http.HTTPStatus.OK, response.status
            self._keep_cookies(response.headers.get_all("Set-Cookie") or [])

    def _keep_cookies(self, lines: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value

    def _connect_and_run(self) -> None:
        address = self._url.replace("http", "ws", 1) + "_stcore/stream"
        protocols: list[Any] = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookie, "Origin": "/".join(self._url.split("/", 3)[:3])}
        try:
            with connect(
                address, subprotocols=protocols, additional_headers=headers, max_size=None
            ) as socket:
                self._keep_cookies(socket.response.headers.get_all("Set-Cookie"))
                self.is_connected = True
                if self._cut_off_at is not None:
                    self.counts.gaps_s.append(time.monotonic() - self._cut_off_at)
                    self._cut_off_at = None
                self._run(socket)
        except (OSError, InvalidHandshake, TimeoutError):  # nobody there, or refused with 503
            self._cut_off_at = self._cut_off_at or time.monotonic()
            self._should_stop.wait(_RETRY_S)

    def _run(self, socket: ClientConnection) -> None:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        while not self._should_stop.is_set():
            number = f"{self._name}.{self.counts.finished}"
            has_started = False
            try:
                socket.send(rerun_message(f"{self._query}&number={number.replace(' ', '')}"))
                while True:
                    message = ForwardMsg()
                    message.ParseFromString(socket.recv(timeout=_MAX_RUN_S))
                    has_started = has_started or message.delta.new_element.text.body == "started"
                    if message.WhichOneof("type") == "script_finished":
                        break
                self.counts.finished += 1
                has_started = False
                _look_at_the_result(socket)
            except ConnectionClosed as exc:
                self._cut_off_at = time.monotonic()
                code = exc.rcvd.code if exc.rcvd else 1006
                self.counts.codes[code] = self.counts.codes.get(code, 0) + 1
                if has_started:
                    self.counts.lost.append(number)
                return


def _look_at_the_result(socket: ClientConnection) -> None:
    until = time.monotonic() + _PAUSE_S
    with suppress(TimeoutError):
        while True:  # the state of the session is still told after the end of a run
            socket.recv(timeout=max(0.0, until - time.monotonic()))


@contextmanager
def open_pages(url: str, count: int, query: str) -> Iterator[list[Page]]:
    """Open pages of the app at `url` (with its final slash), which run until the block ends."""
    # Streamlit, which the pages' threads would otherwise all import at the same time.
    import streamlit.proto.BackMsg_pb2
    import streamlit.proto.ForwardMsg_pb2  # noqa: F401

    pages = [Page(url, query, number) for number in range(count)]
    for page in pages:
        page.start()
    try:
        yield pages
    finally:
        for page in pages:
            page.ask_to_stop()
        for page in pages:
            page.join()
    assert not [page.trouble for page in pages if page.trouble]


def total(pages: list[Page]) -> Counts:
    """Add up what happened to the pages."""
    return sum((page.counts for page in pages), Counts())
