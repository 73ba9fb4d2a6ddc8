"""Abandoned uploads and tunnels are dropped, and no client makes the server hold unbounded data."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.forwarded import Forwarded
from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.places import Places, Visitor
from stlaunch.gateway.request import RequestInfo, with_request
from stlaunch.gateway.state import UPLOAD_LIMITS
from stlaunch.gateway.tunnel.frames import Flags, Frame
from stlaunch.gateway.tunnel.registry import TunnelLimits, TunnelRegistry
from stlaunch.gateway.tunnel.tunnel import MAX_UNREAD_MESSAGES, Tunnel
from stlaunch.gateway.uploads.pieces import UploadPiecesEndpoint
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PrefixMode
from stlaunch.urls.streamlit_routes import classify
from tests.asgi.driver import make_scope

PATH = "/_stlaunch/upload"


class _Waiting:
    """An app that reads an upload to its end, which may never come."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.gave_up = asyncio.Event()

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        self.began.set()
        try:
            while (await receive()).get("more_body"):
                pass
        except asyncio.CancelledError:
            self.gave_up.set()
            raise


def _opening(cookie: str = "", client: str = "127.0.0.1") -> Scope:
    """Return the scope of a request that opens an upload, as the endpoint gets it."""
    return _scope(PATH, "POST", cookie, client)


def _scope(path: str, method: str, cookie: str = "", client: str = "127.0.0.1") -> Scope:
    headers = [("x-stlaunch", "1"), ("x-stlaunch-target", "session/file"), ("x-stlaunch-size", "9")]
    scope = make_scope(path, headers, method=method, client=(client, 1))
    route = classify(path, [BasePath()])
    request = RequestInfo(
        peer=client,
        client=client,
        path=path,
        scheme="http",
        host=None,
        forwarded=Forwarded(),
        headers=((b"cookie", cookie.encode()),),
        kind=route.kind,
        name=route.name,
        mode=PrefixMode.STRIPPED,
        public_path=None,
        app_path=path,
        base=None,
        streamlit_path=path,
        is_tunnel=False,
    )
    return with_request(scope, request)


def _pieces(app: ASGIApp, idle_s: float = 60.0) -> UploadPiecesEndpoint:
    return UploadPiecesEndpoint(
        uploads=app,
        instance_id="one",
        finding_log=FindingLog(),
        app_site=AppSite(),
        places=Places(UPLOAD_LIMITS),
        idle_s=idle_s,
    )


async def _send(pieces: UploadPiecesEndpoint, scope: Scope, body: bytes = b"") -> tuple[int, Any]:
    status, answer = 0, b""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await pieces(scope, receive, send)
    return status, json.loads(answer)


async def _post(pieces: UploadPiecesEndpoint, scope: Scope) -> int:
    status, _ = await _send(pieces, scope)
    return status


def test_an_abandoned_upload_is_freed_though_no_other_comes() -> None:
    """Only the next request of an upload used to free it: without one, it stayed forever."""

    async def run() -> int:
        app = _Waiting()
        status = await _post(_pieces(app, idle_s=0.05), _opening())
        async with asyncio.timeout(30):
            await app.began.wait()
            await app.gave_up.wait()
        return status

    assert asyncio.run(run()) == 200


def test_an_app_may_think_about_an_upload_for_longer_than_pages_may_be_silent() -> None:
    """As long as the page asks: its proxy may cut one long answer, and so may the idle limit."""

    async def run() -> tuple[list[Any], int]:
        may_answer = asyncio.Event()

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive())["more_body"]:
                pass
            await may_answer.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        pieces = _pieces(app, idle_s=0.2)
        _, opened = await _send(pieces, _opening())
        piece = {**_scope(f"{PATH}/{opened['id']}", "POST"), "query_string": b"offset=0"}
        early = [(await _send(pieces, piece, b"nine char"))[1] for _ in range(4)]
        may_answer.set()
        return early, (await _send(pieces, piece))[1]["status"]

    early, status = asyncio.run(run())

    assert early == [{"expected": 9}] * 4
    assert status == 204


def test_one_address_never_takes_all_places_of_uploads() -> None:
    """With a new cookie each time: clients from elsewhere still get in."""

    async def run() -> list[int]:
        pieces = _pieces(_Waiting())
        many = [await _post(pieces, _opening(f"stlaunch={number:064d}")) for number in range(70)]
        return [*many, await _post(pieces, _opening(client="203.0.113.9"))]

    statuses = asyncio.run(run())

    assert 503 in statuses
    assert statuses[-1] == 200


def test_chunks_are_handed_on_before_the_piece_is_whole() -> None:
    """A piece that stops half-way was held here; 63 uploads of one held 1.1 GB."""

    async def run() -> tuple[list[int], Any]:
        read: list[int] = []
        is_read = asyncio.Event()

        async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
            while (message := await receive())["more_body"]:
                read.append(len(message["body"]))
                is_read.set()

        pieces = _pieces(app, idle_s=5)
        _, opened = await _send(pieces, _opening())
        scope = {**_scope(f"{PATH}/{opened['id']}", "POST"), "query_string": b"offset=0"}
        parts: list[Message] = [{"type": "http.request", "body": b"four", "more_body": True}]

        async def receive() -> Message:
            if parts:
                return parts.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(_message: Message) -> None: ...

        half = asyncio.create_task(pieces(scope, receive, send))
        await asyncio.wait_for(is_read.wait(), 30)
        retried = await _send(pieces, scope, b"four again")  # ends the first one, which is dead
        await half
        return read, retried

    assert asyncio.run(run()) == ([4], (200, {"expected": 4}))


def test_a_refused_upload_frees_its_place_at_once() -> None:
    """It kept it for a minute: two addresses held all places with uploads that the app refused."""

    async def run() -> list[int]:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body"})

        pieces = _pieces(app)
        statuses = []
        for _ in range(100):
            status, opened = await _send(pieces, _opening())
            for _ in range(3):
                await asyncio.sleep(0)  # the app answers
            scope = {**_scope(f"{PATH}/{opened['id']}", "POST"), "query_string": b"offset=0"}
            statuses += [status, (await _send(pieces, scope, b"nine char"))[1]["status"]]
        return statuses

    assert asyncio.run(run()) == [200, 403] * 100


def test_a_deletion_has_a_place_and_an_end() -> None:
    """An app that never answered used to hold a task for each upload, without a limit."""

    async def run() -> tuple[list[int], int]:
        ended = 0

        async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
            nonlocal ended
            try:
                await asyncio.Event().wait()
            finally:
                ended += 1

        pieces = _pieces(app, idle_s=0.05)
        scope = _opening(client="203.0.113.9")
        scope["headers"] = [*scope["headers"], (b"x-stlaunch-method", b"DELETE")]
        asked = [_post(pieces, scope) for _ in range(UPLOAD_LIMITS.per_address + 2)]
        statuses = await asyncio.gather(*asked)
        again = await _post(pieces, scope)
        await asyncio.sleep(0)  # the last one hears of it
        return [*statuses, again], ended

    statuses, ended = asyncio.run(run())

    assert sorted(statuses) == [503] * 2 + [504] * (UPLOAD_LIMITS.per_address + 1)
    assert ended == UPLOAD_LIMITS.per_address + 1


@pytest.mark.parametrize("size", ["0", "00", "-1", "", "1" * 13, "٣"])
def test_an_upload_without_a_size_is_none(size: str) -> None:
    """One of no bytes would wait for a piece that never comes."""

    async def run() -> int:
        scope = _opening()
        headers = [item for item in scope["headers"] if item[0] != b"x-stlaunch-size"]
        scope["headers"] = [*headers, (b"x-stlaunch-size", size.encode("utf-8"))]
        return await _post(_pieces(_Waiting()), scope)

    assert asyncio.run(run()) == 400


def test_one_ipv6_customer_is_one_address() -> None:
    """A /64 has more addresses than there are places."""

    async def run() -> tuple[list[int], int]:
        pieces = _pieces(_Waiting())
        many = [
            await _post(pieces, _opening(f"stlaunch={number:064d}", f"2001:db8::{number:x}"))
            for number in range(70)
        ]
        return many, await _post(pieces, _opening(client="2001:db8:1::1"))

    many, other = asyncio.run(run())

    assert many.count(200) == 16
    assert other == 200


def test_tunnels_that_nobody_uses_make_room() -> None:
    """2,000 of them, opened in 4 s with random cookies, kept everybody out for 100 s."""

    async def run() -> tuple[bool, bool, bool]:
        registry = TunnelRegistry(
            limits=TunnelLimits(max_tunnels=20, max_per_proxy=20, first_use_s=60)
        )
        tunnels = []

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await receive()

        for number in range(20):
            tunnel = Tunnel(
                id=f"one.{number}", owner=str(number), max_message_bytes=9, idle_limit_s=60
            )
            await tunnel.open(app, {})
            registry.add(tunnel, _stranger(number))
            tunnels.append(tunnel)
        tunnels[0].touch()
        was_full = not registry.has_room(_stranger(99))
        for tunnel in tunnels:
            tunnel._seen_at -= 3
        has_room = registry.has_room(_stranger(99))
        left = registry.find("one.0") is tunnels[0], registry.find("one.1") is None
        await registry.stop()
        return was_full and has_room, *left

    assert asyncio.run(run()) == (True, True, True)


def test_a_stop_waits_for_no_page_that_still_sends() -> None:
    """Ten half-sent requests held the stop up for all of its time, and left ten tracebacks."""

    async def run() -> bool:
        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await receive()

        registry = TunnelRegistry()
        tunnel = Tunnel(id="one.1", owner="", max_message_bytes=9, idle_limit_s=60)
        await tunnel.open(app, {})
        registry.add(tunnel, _stranger(1))

        async def is_ended() -> bool:
            try:
                async with tunnel.putting.take():
                    await asyncio.Event().wait()
            except TimeoutError:
                return True
            return False

        sending = asyncio.create_task(is_ended())
        await asyncio.sleep(0)
        await registry.stop()
        async with asyncio.timeout(30):
            return await sending

    assert asyncio.run(run())


def _stranger(number: int) -> Visitor:
    return Visitor(browser=str(number), address="127.0.0.1", is_shared=True)


def test_empty_messages_count_as_unread() -> None:
    """Half a million of them fit into one request and hold memory each: the page has to wait."""

    async def run() -> tuple[bool, int, int]:
        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await may_read.wait()
            while (await receive())["type"] != "websocket.disconnect":
                pass

        may_read = asyncio.Event()
        tunnel = Tunnel(id="one.1", owner="", max_message_bytes=1000, idle_limit_s=60)
        await tunnel.open(app, {})
        many = [Frame(number, Flags.FINAL, b"") for number in range(1, 20_001)]
        waiting = asyncio.create_task(tunnel.deliver(many))
        for _ in range(10):
            await asyncio.sleep(0)
        was_waiting, unread = not waiting.done(), tunnel.acknowledged
        may_read.set()
        number = await asyncio.wait_for(waiting, 60)
        await tunnel.end()
        return was_waiting, unread, number

    assert asyncio.run(run()) == (True, MAX_UNREAD_MESSAGES, 20_000)


def test_text_that_is_read_is_no_longer_counted() -> None:
    """Its length in characters is not that in bytes; the difference stopped the tunnel for good."""

    async def run() -> int:
        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass

        tunnel = Tunnel(id="one.1", owner="", max_message_bytes=2_000_000, idle_limit_s=60)
        await tunnel.open(app, {})
        text = ("é" * 500_000).encode()
        async with asyncio.timeout(60):
            for number in range(1, 80):
                await tunnel.deliver([Frame(number, Flags.FINAL | Flags.TEXT, text)])
        await tunnel.end()
        return number

    assert asyncio.run(run()) == 79
