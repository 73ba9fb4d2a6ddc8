"""`--max-sessions` through a proxy: no single client takes all places."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.asgi.driver import STRANGER, make, make_scope

HOST = ("host", "app.test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client known by a cookie, by the address that a proxy names, or by neither."""

    cookie: str = ""
    named: str = ""
    is_direct: bool = False

    def headers(self) -> list[tuple[str, str]]:
        cookies = [("cookie", f"stlaunch={self.cookie:_>22}")] if self.cookie else []
        named = [("x-forwarded-for", self.named)] if self.named else []
        return [HOST, ("origin", "http://app.test"), *cookies, *named]


async def _open(app: object, clients: Sequence[Client]) -> tuple[list[int], list[int]]:
    """Open a session for each client, all at once in the end; then ask for the page."""
    statuses, pages = [], []
    tasks = []
    may_end = asyncio.Event()
    for client in clients:
        status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message, status: asyncio.Future[int] = status) -> None:
            if not status.done():
                accepted = message["type"] == "websocket.accept"
                status.set_result(101 if accepted else message["status"])

        peer = STRANGER if client.is_direct else ("127.0.0.1", 1)
        scope = make_scope("/app/_stcore/stream", client.headers(), client=peer) | {
            "type": "websocket",
            "scheme": "ws",
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
            "may_end": may_end,
        }
        tasks.append(asyncio.create_task(app(scope, receive, send)))  # type: ignore[operator]
        statuses.append(await status)
        pages.append(await _page(app, client))
    may_end.set()
    await asyncio.gather(*tasks)
    return statuses, pages


async def _page(app: object, client: Client) -> int:
    found: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        found.extend([message["status"]] if "status" in message else [])

    peer = STRANGER if client.is_direct else ("127.0.0.1", 1)
    await app(make_scope("/app/", client.headers(), client=peer), receive, send)  # type: ignore[operator]
    return found[0]


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await scope["may_end"].wait()


@pytest.mark.parametrize(
    ("greedy", "other"),
    [
        pytest.param(
            Client(cookie="one"), Client(cookie="two"), id="browsers, no address is named"
        ),
        pytest.param(Client(cookie="one"), Client(), id="a browser, and one without cookies"),
        pytest.param(
            Client(named="192.0.2.1"), Client(named="192.0.2.2"), id="programs with an address"
        ),
        pytest.param(
            Client(is_direct=True), Client(named="192.0.2.2"), id="past the proxy, and through it"
        ),
    ],
)
def test_one_client_leaves_a_place_to_others_who_come_through_the_same_proxy(
    greedy: Client, other: Client
) -> None:
    """Of 8 places it gets 7, its page says so, and the other one gets the last."""
    app = make(_app, max_sessions=8)
    statuses, pages = asyncio.run(_open(app, [greedy] * 9 + [other]))

    assert statuses == [101] * 7 + [503] * 2 + [101]
    assert pages[-1] == (200 if other.cookie else 503)  # all are taken; it has one of them
    assert pages[7] == (200 if greedy.cookie else 503)  # who has a place may reload


def test_visitors_behind_a_proxy_that_names_nobody_share_no_bound_but_the_limit() -> None:
    """Not even where it drops their cookies too: one visitor's share would be everybody's."""
    app = make(_app, max_sessions=8)

    assert asyncio.run(_open(app, [Client()] * 9))[0] == [101] * 8 + [503]
    assert asyncio.run(_open(app, [Client()] * 9))[0] == [101] * 8 + [503], "all came back"


def test_an_office_behind_one_address_leaves_an_eighth() -> None:
    browsers = [Client(named="192.0.2.1", cookie=str(number)) for number in range(9)]
    statuses, pages = asyncio.run(_open(make(_app, max_sessions=8), browsers))

    assert statuses == [101] * 7 + [503] * 2
    assert pages[-1] == 503
