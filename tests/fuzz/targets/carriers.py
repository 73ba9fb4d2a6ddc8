"""The fallbacks for the WebSocket and for uploads: many requests, hostile in order and content."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable

from stlaunch.gateway.tunnel.frames import (
    FRAGMENT_BYTES,
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    Flags,
    Frame,
    FrameError,
    FrameReader,
    Inbox,
    Outbox,
    decode_frames,
)
from stlaunch.gateway.tunnel.registry import TunnelLimits
from tests.fallback import app as small_app
from tests.fuzz.target import Target
from tests.fuzz.wire import INJECTIONS, Reply, ask, loop, read_request, run, run_ready_tasks

_OWN = b"\nhost: app.test\norigin: http://app.test\nx-stlaunch: 1"
_NEXT = b"\n----\n"
_MAX_BYTES = 100_000


def frames(data: bytes) -> Hashable:
    """Read the same in any cut, hold no more than a frame, and put together what was sent."""
    cut = data[0] if data else 0
    body = data[1:]
    whole: list[Frame] = []
    try:
        whole = list(FrameReader().read(body))
        end = "cut off" if _is_open(body) else "whole"
    except FrameError:
        end = "too large"
    reader, parts = FrameReader(), []
    size = max(1, cut)
    try:
        for at in range(0, len(body), size):
            parts += reader.read(body[at : at + size])
            assert len(reader._rest) <= MAX_FRAME_BYTES + HEADER_BYTES
    except FrameError:
        assert end == "too large"
    else:
        assert end != "too large"
        assert parts == whole
    assert b"".join(frame.encode() for frame in parts) == _without_flags(body)[: sum(
        len(frame.payload) + HEADER_BYTES for frame in parts
    )]  # fmt: skip
    inbox = Inbox(_MAX_BYTES)
    try:
        messages = inbox.take(parts)
    except FrameError:
        messages = []
    assert len(inbox._partial) <= _MAX_BYTES
    assert inbox.acknowledged <= len(parts)
    outbox = Outbox()
    for message in messages:
        outbox.put(message.payload, message.flags & Flags.TEXT)
    assert all(len(frame.payload) <= FRAGMENT_BYTES for frame in outbox.frames)
    again = Inbox(_MAX_BYTES).take(outbox.after(0))
    assert [one.payload for one in again] == [one.payload for one in messages]
    outbox.acknowledge(int.from_bytes(body[:4], "big"))
    assert outbox.unacknowledged_bytes == sum(len(frame.payload) for frame in outbox.frames)
    return (end, len(parts), len(messages), inbox.acknowledged)


def _is_open(body: bytes) -> bool:
    try:
        list(decode_frames(body))
    except FrameError:
        return True
    return False


def _without_flags(body: bytes) -> bytes:
    """Return the bytes with the flags that nobody knows left out, frame by frame."""
    out, at = bytearray(body), 0
    while at + HEADER_BYTES <= len(out):
        out[at + 4] &= 0x0F
        at += HEADER_BYTES + int.from_bytes(out[at + 5 : at + 9], "big")
    return bytes(out)


_tunnels, _registry = small_app.make(
    limits=TunnelLimits(poll_s=0.0), max_message_bytes=lambda: _MAX_BYTES
)


def tunnel(data: bytes) -> Hashable:
    """Answer each request of a tunnel, whatever came before, and leave nothing."""
    kinds, tunnel_id = [], ""
    for part in data.split(_NEXT)[:12]:
        asked = read_request(part.replace(b"TUNNEL", tunnel_id.encode()))
        if not asked.path.startswith(b"/app/_stlaunch/tunnel"):
            continue
        reply = run(_within(ask(_tunnels, asked.scope(), asked.body, pieces=3, leaves=True)))
        reply.check()
        kinds.append(reply.status)
        if reply.header(b"content-type") == b"application/json" and reply.status == 200:
            answer = json.loads(reply.body)
            tunnel_id = answer.get("id", tunnel_id)
            assert answer.get("ack", 0) >= 0
        elif reply.status == 200 and b"content-encoding" not in dict(reply.headers):
            list(decode_frames(bytes(reply.body)))
        assert len(_registry) <= 12
    run(_end())
    assert len(_registry) == 0
    left = [task.get_name() for task in asyncio.all_tasks(loop)]
    assert not [name for name in left if name.startswith("tunnel ") and name != "tunnel sweeper"]
    return tuple(kinds)


async def _within(work: asyncio.Future[Reply] | object) -> Reply:
    async with asyncio.timeout(60):
        return await work  # type: ignore[misc]


async def _end() -> None:
    for one in list(_registry._tunnels.values()):
        assert len(one.outbox.frames) < 10_000
        _registry._give_up(one)
    await run_ready_tasks(lambda: _registry._ending is None or _registry._ending.done())
    if _registry._ending is not None:
        await _registry._ending
    await run_ready_tasks()


_uploads, _ = small_app.make()


def pieces(data: bytes) -> Hashable:
    """Answer each request of an upload, and never say that more has come than was sent."""
    kinds, upload_id, sent = [], "", 0
    for part in data.split(_NEXT)[:12]:
        asked = read_request(part.replace(b"UPLOAD", upload_id.encode()))
        if not asked.path.startswith(b"/app/_stlaunch/upload"):
            continue
        sent += len(asked.body)
        reply = run(_within(ask(_uploads, asked.scope(), asked.body, pieces=3, leaves=True)))
        reply.check()
        kinds.append(reply.status)
        if reply.status == 200:
            answer = json.loads(reply.body)
            upload_id = answer.get("id", upload_id)
            assert 0 <= answer["expected"] <= sent
            if answer.get("status") == 200:
                assert json.loads(answer["body"])["bytes"] == answer["expected"]
    run(_cancel_uploads())
    left = [task.get_name() for task in asyncio.all_tasks(loop)]
    assert "upload in pieces" not in left
    assert "upload waits for the app" not in left
    return tuple(kinds)


async def _cancel_uploads() -> None:
    mine = [task for task in asyncio.all_tasks() if task.get_name() == "upload in pieces"]
    for task in mine:
        task.cancel()
    await asyncio.gather(*mine, return_exceptions=True)
    await run_ready_tasks()


def _request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return line + _OWN + b"".join(b"\n" + header for header in headers) + b"\n\n" + body


_OPEN = _request(b"POST /app/_stlaunch/tunnel stranger", b"x-stlaunch-protocols: streamlit, x")
_PUT = b"POST /app/_stlaunch/tunnel/TUNNEL?ack=0 stranger"
_GET = b"GET /app/_stlaunch/tunnel/TUNNEL?mode=brief&ack=0 stranger"
_START = _request(
    b"POST /app/_stlaunch/upload stranger",
    *(b"x-stlaunch-target: s/f", b"x-stlaunch-size: 10", b"x-stlaunch-type: a/b"),
)
_PIECE = b"POST /app/_stlaunch/upload/UPLOAD?offset=%d stranger"
_HELLO, _FLOOD, _CLOSE = b"hello", b"flood 3 100", b"close"

TARGETS = (
    Target(
        name="frames",
        promise="the same frames in any cut, and never more held than one frame and one message",
        run=frames,
        seeds=(
            b"\x01" + Frame(1, Flags.FINAL, b"hello").encode(),
            b"\x07" + b"".join(Frame(n, Flags.MORE, b"ab" * n).encode() for n in range(1, 6)),
            b"\xff"
            + Frame(1, Flags.TEXT, b"x" * 300).encode()
            + Frame(2, Flags.FINAL, b"").encode(),
            b"\x02" + Frame(9, Flags.CLOSE, b"\x03\xe8bye").encode() + b"\x00" * 20,
        ),
        tokens=(
            *(Frame(n, Flags.FINAL, b"").encode() for n in (0, 1, 2, 3)),
            *(b"\x00\x10\x00\x01", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"),
        ),
        max_bytes=20_000,
    ),
    Target(
        name="tunnel",
        promise="each request is answered, none with 500, and a tunnel that ends leaves no task",
        run=tunnel,
        seeds=(
            _OPEN,
            _NEXT.join(
                (
                    _OPEN,
                    _request(_PUT, body=Frame(1, Flags.FINAL, _HELLO).encode()),
                    _request(_GET),
                    _request(_PUT, body=Frame(2, Flags.FINAL, _FLOOD).encode()),
                    _request(_GET.replace(b"mode=brief", b"mode=stream")),
                    _request(b"POST /app/_stlaunch/tunnel/TUNNEL?mode=end stranger"),
                )
            ),
            _NEXT.join(
                (_OPEN, _request(_PUT, body=Frame(1, Flags.FINAL, _CLOSE).encode()), _request(_GET))
            ),
        ),
        tokens=(
            *(
                _NEXT,
                _OPEN,
                _request(_GET),
                _request(_PUT),
                b"ack=",
                b"ack=1",
                b"mode=stream",
                b"TUNNEL",
            ),
            *(Frame(n, Flags.FINAL, b"x" * n).encode() for n in (1, 2, 3)),
            *(
                b"\nx-stlaunch-protocols: ",
                b"\ncookie: stlaunch=" + b"a" * 22,
                b"\naccept-encoding: gzip",
            ),
            *(b"\ncontent-encoding: gzip", b"\nsec-fetch-site: cross-site", b"flood 99 9999"),
            *INJECTIONS,
        ),
        max_bytes=8192,
    ),
    Target(
        name="pieces",
        promise="each request is answered, none with 500; what is expected was sent; no task is left",
        run=pieces,
        seeds=(
            _START,
            _NEXT.join((_START, _request(_PIECE % 0, body=b"0123456789"))),
            _NEXT.join(
                (
                    _START,
                    _request(_PIECE % 0, body=b"01234"),
                    _request(_PIECE % 0, body=b"01234"),
                    _request(_PIECE % 5, b"x-stlaunch-limit: 5 9", body=b"56789"),
                    _request(_PIECE % 5, body=b""),
                )
            ),
        ),
        tokens=(
            *(_NEXT, _START, _request(_PIECE % 0), _request(_PIECE % 5), b"offset=", b"UPLOAD"),
            *(b"\nx-stlaunch-size: ", b"\nx-stlaunch-target: ", b"\nx-stlaunch-limit: 1 2"),
            *(b"\nx-stlaunch-method: DELETE", b"\nx-stlaunch-refused: 405", b"\nmode=end"),
            *(b"\ncontent-length: 99999999", b"\ncookie: stlaunch=" + b"a" * 22, b"0123456789"),
            *INJECTIONS,
        ),
        max_bytes=8192,
    ),
)
