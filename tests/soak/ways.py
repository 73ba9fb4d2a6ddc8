"""What a visitor does between coming and going: each way once, and it must succeed.

Owns the ways to the app that a page can take. It must not know how many visitors there are.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode

from stlaunch.check.protobuf import fields
from stlaunch.gateway.origin_policy import PLAIN_COOKIE
from stlaunch.gateway.tunnel.frames import Flags, Inbox, Outbox, decode_frames
from tests.harness.protocol import rerun_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Way = Callable[[str, float], Awaitable[None]]
"""Takes the app's address, with its final slash, and how long a visitor looks at a result."""

_ANSWER_S = 120.0
_OWN = {"X-Stlaunch": "1"}
_FILE_BYTES = 300_000
_PIECE_BYTES = 100_000
_XSRF = "_streamlit_xsrf"
_RESULTS = 5


async def over_a_socket(url: str, look_s: float) -> None:
    """Run the script twice over a WebSocket."""
    async with _socket(url) as socket:
        for run in (1, 2):
            assert f"runs={run};".encode() in await _run(socket)
            await asyncio.sleep(look_s)


async def with_a_lost_connection(url: str, look_s: float) -> None:
    """Lose the connection without a word, come back, and find the session as it was."""
    # A browser of its own each time: what one of them loses again and again is a finding.
    browser = {"Origin": _origin(url), **_cookie()}
    async with _socket(url, headers=browser) as socket:
        session = _session_id(await _run(socket))
        socket.transport.abort()
    await asyncio.sleep(look_s)
    async with _socket(url, session, headers=browser) as socket:
        assert b"runs=2;" in await _run(socket)


async def through_restarts(url: str, look_s: float) -> None:
    """Look at five results, and come back at once where the server says that it restarts."""
    seen = 0
    while seen < _RESULTS:
        try:
            async with _socket(url) as socket:
                while seen < _RESULTS:
                    assert b"runs=" in await _run(socket)
                    seen += 1
                    await asyncio.sleep(look_s)
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != CloseCode.SERVICE_RESTART:
                raise


async def over_http(url: str, look_s: float) -> None:
    """Run the script twice through the tunnel, and leave as a page does."""
    async with _client(_OWN | _cookie()) as client:
        opening = {"Origin": _origin(url), "X-Stlaunch-Protocols": "streamlit, PLACEHOLDER"}
        opened = await client.post(f"{url}_stlaunch/tunnel", headers=opening)
        assert opened.status_code == HTTPStatus.OK, opened.text
        tunnel = f"{url}_stlaunch/tunnel/{opened.json()['id']}"
        inbox, outbox = Inbox(100_000_000), Outbox()
        for run in (1, 2):
            outbox.put(rerun_message(), Flags.MORE)
            body = b"".join(frame.encode() for frame in outbox.after(0))
            put = await client.post(tunnel, params={"ack": inbox.acknowledged}, content=body)
            outbox.acknowledge(put.json()["ack"])
            shown = b""
            is_over = False
            while not is_over:
                poll = await client.get(tunnel, params={"ack": inbox.acknowledged})
                assert poll.status_code == HTTPStatus.OK, poll.text
                for message in inbox.take(decode_frames(poll.content)):
                    shown += message.payload
                    is_over = is_over or _is_finished(message.payload)
            assert f"runs={run};".encode() in shown
            await asyncio.sleep(look_s)
        await client.post(tunnel, params={"mode": "end"})


async def with_uploads(url: str, look_s: float) -> None:
    """Send a file in one request, and another one in pieces."""
    async with _client({}) as client, _socket(url) as socket:
        session = _session_id(await _run(socket))
        await client.get(f"{url}_stcore/health")
        xsrf = {"X-Xsrftoken": client.cookies[_XSRF]}
        content = secrets.token_bytes(_FILE_BYTES)
        target = f"{session}/{secrets.token_hex(16)}"
        address = f"{url}_stcore/upload_file/{target}"
        whole = await client.put(address, files={"file": content}, headers=xsrf)
        assert whole.status_code == HTTPStatus.NO_CONTENT, whole.text
        await asyncio.sleep(look_s)
        request = client.build_request("PUT", address, files={"file": content})
        body = request.read()
        facts = {
            "X-Stlaunch-Target": f"{session}/{secrets.token_hex(16)}",
            "X-Stlaunch-Size": str(len(body)),
            "X-Stlaunch-Type": request.headers["content-type"],
        }
        opened = await client.post(f"{url}_stlaunch/upload", headers=_OWN | xsrf | facts)
        assert opened.status_code == HTTPStatus.OK, opened.text
        answer: dict[str, Any] = opened.json()
        place = f"{url}_stlaunch/upload/{answer['id']}"
        while not answer.get("status"):
            offset = answer["expected"]
            piece = body[offset : offset + _PIECE_BYTES]
            put = await client.post(f"{place}?offset={offset}", content=piece, headers=_OWN)
            answer = put.json()
        assert answer["status"] == HTTPStatus.NO_CONTENT, answer


async def from_elsewhere(url: str, look_s: float) -> None:
    """Be another site's page: neither a socket nor a tunnel opens."""
    foreign = {"Origin": "https://elsewhere.test", "Cookie": "a=b"}
    status = HTTPStatus.OK
    try:
        async with _socket(url, headers=foreign):
            pass
    except InvalidStatus as refused:
        status = HTTPStatus(refused.response.status_code)
    assert status == HTTPStatus.FORBIDDEN, status
    await asyncio.sleep(look_s)
    async with _client(_OWN | foreign) as client:
        protocols = {"X-Stlaunch-Protocols": "streamlit, PLACEHOLDER"}
        tunnel = await client.post(f"{url}_stlaunch/tunnel", headers=protocols)
        # An instance that stops refuses everybody; a POST is not tried again at another one.
        refusals = {HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE}
        assert tunnel.status_code in refusals, tunnel.status_code


ALL_WAYS: tuple[Way, ...] = (
    over_a_socket, with_a_lost_connection, over_http, with_uploads, from_elsewhere,
)  # fmt: skip


def _cookie() -> dict[str, str]:
    return {"Cookie": f"{PLAIN_COOKIE}={secrets.token_urlsafe(16)}"}


def _client(headers: dict[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(headers=headers, timeout=_ANSWER_S, trust_env=False, verify=False)


@asynccontextmanager
async def _socket(
    url: str, session: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[ClientConnection]:
    # A busy machine may be late to answer pings, which is nobody's fault.
    protocols: list[Any] = ["streamlit", "PLACEHOLDER_AUTH_TOKEN", *([session] if session else [])]
    async with connect(
        url.replace("http", "ws", 1) + "_stcore/stream",
        subprotocols=protocols,
        additional_headers=headers,
        ping_interval=None,
        open_timeout=_ANSWER_S,
        max_size=None,
        compression=None,
    ) as socket:
        yield socket


async def _run(socket: ClientConnection) -> bytes:
    """Run the script; return all messages, one behind the other."""
    await socket.send(rerun_message())
    shown = bytearray()
    async with asyncio.timeout(_ANSWER_S):
        while True:
            data = await socket.recv()
            assert isinstance(data, bytes)
            shown += data
            if _is_finished(data):
                return bytes(shown)


def _is_finished(data: bytes) -> bool:
    return any(number == _FINISHED for number, _ in fields(memoryview(data)))


def _session_id(messages: bytes) -> str:
    """Return the session's id from a run's messages."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    for number, value in fields(memoryview(messages)):
        if number == ForwardMsg.DESCRIPTOR.fields_by_name["new_session"].number:
            message.new_session.ParseFromString(bytes(value))  # type: ignore[arg-type]
            return str(message.new_session.initialize.session_id)
    raise AssertionError("no session has begun")


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _finished_field() -> int:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    return int(ForwardMsg.DESCRIPTOR.fields_by_name["script_finished"].number)


_FINISHED = _finished_field()
