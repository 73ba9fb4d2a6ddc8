"""Pages without a browser: each runs its script again and again, and connects again when cut off.

Owns the counting of what a person would lose. It must not know who serves the app, or why it goes.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.harness.protocol import rerun_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from websockets.asyncio.client import ClientConnection

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
        self.trouble = ""
        self._url = url
        self._query = query
        self._name = f"page {number}"
        self._cookies: dict[str, str] = {}
        self._cut_off_at: float | None = None
        self._should_stop = False

    def open_front_page(self) -> None:
        """Fetch the page, and keep its cookies."""
        host = self._url.removeprefix("http://").partition("/")[0]
        with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
            connection.request("GET", self._url.removeprefix(f"http://{host}"))
            response = connection.getresponse()
            response.read()
            assert response.status == http.HTTPStatus.OK, response.status
            self._keep_cookies(response.headers.get_all("Set-Cookie") or [])

    def ask_to_stop(self) -> None:
        """Let the run that is going be the last one."""
        self._should_stop = True

    async def live(self) -> None:
        """Run the script again and again, until asked to stop."""
        try:
            while not self._should_stop:
                await self._connect_and_run()
        except Exception as exc:  # noqa: BLE001 - told in the main thread
            self.trouble = f"{self._name}: {exc!r}"

    def _keep_cookies(self, lines: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value

    async def _connect_and_run(self) -> None:
        address = self._url.replace("http", "ws", 1) + "_stcore/stream"
        protocols: list[Any] = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookie, "Origin": "/".join(self._url.split("/", 3)[:3])}
        connection = connect(
            address,
            subprotocols=protocols,
            additional_headers=headers,
            max_size=None,
            proxy=None,
        )
        try:
            async with connection as socket:
                assert socket.response is not None
                self._keep_cookies(socket.response.headers.get_all("Set-Cookie"))
                if self._cut_off_at is not None:
                    self.counts.gaps_s.append(time.monotonic() - self._cut_off_at)
                    self._cut_off_at = None
                await self._run(socket)
        except (OSError, InvalidHandshake, TimeoutError):  # nobody there, or refused with 503
            self._cut_off_at = self._cut_off_at or time.monotonic()
            await asyncio.sleep(_RETRY_S)

    async def _run(self, socket: ClientConnection) -> None:
        while not self._should_stop:
            number = f"{self._name}.{self.counts.finished}"
            has_started = False
            try:
                await socket.send(rerun_message(f"{self._query}&number={number.replace(' ', '')}"))
                async for message in _messages(socket):
                    has_started = has_started or message.delta.new_element.text.body == "started"
                    if message.WhichOneof("type") == "script_finished":
                        break
                self.counts.finished += 1
                has_started = False
                await _look_at_the_result(socket)
            except ConnectionClosed as exc:
                self._cut_off_at = time.monotonic()
                code = exc.rcvd.code if exc.rcvd else 1006
                self.counts.codes[code] = self.counts.codes.get(code, 0) + 1
                if has_started:
                    self.counts.lost.append(number)
                return


async def _messages(socket: ClientConnection) -> AsyncIterator[Any]:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    while True:
        message = ForwardMsg()
        async with asyncio.timeout(_MAX_RUN_S):
            data = await socket.recv(decode=False)
        message.ParseFromString(data)
        yield message


async def _look_at_the_result(socket: ClientConnection) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_PAUSE_S):
            while True:  # the state of the session is still told after the end of a run
                await socket.recv()


@contextmanager
def open_pages(url: str, count: int, query: str) -> Iterator[list[Page]]:
    """Open pages of the app at `url` (with its final slash), which run until the block ends."""
    pages = [Page(url, query, number) for number in range(count)]
    for page in pages:
        page.open_front_page()

    async def live() -> None:
        await asyncio.gather(*(page.live() for page in pages))

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        yield pages
    finally:
        for page in pages:
            page.ask_to_stop()
        thread.join()
    assert not [page.trouble for page in pages if page.trouble]


def total(pages: list[Page]) -> Counts:
    """Add up what happened to the pages."""
    return sum((page.counts for page in pages), Counts())
