"""What `stlaunch check` reads of a server: HTTP, WebSocket and HTTP/2 answers, and the reports."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Hashable, Mapping
from dataclasses import asdict, field, replace
from typing import Any

import anyio
from anyio.abc import ByteStream

from stlaunch import quick_dataclass
from stlaunch.check import pages
from stlaunch.check.client import Client
from stlaunch.check.cookies import SetCookie
from stlaunch.check.diagnosis import Status, diagnose
from stlaunch.check.dialer import Dialer
from stlaunch.check.observations import Exchange, Observations
from stlaunch.check.probes import http2, self_check
from stlaunch.check.probes.stream import Browser
from stlaunch.check.probes.tunnel import TunnelSocket
from stlaunch.check.redact import redacted
from stlaunch.check.streamlit_session import run_script
from stlaunch.check.target import Target as Address
from stlaunch.check.websocket import Socket, open_socket
from stlaunch.proxies.recognition import table
from stlaunch.urls.base_path import BasePath
from tests.check.recording import recorded
from tests.fuzz.target import Target
from tests.fuzz.wire import run

_LIMIT = 4096
_PAGE_LIMIT = 64 * 1024
_ADDRESS = Address.parse("https://app.test/app/")
_SEEN = recorded()
# Whose answers the rules read.
_PLACES = (*_SEEN.http, *_SEEN.openings)


class _Wire(ByteStream):
    """A connection whose peer has already sent everything, cut somewhere."""

    def __init__(self, data: bytes, cut: int) -> None:
        self.left = data
        self.cut = max(1, cut)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        part = self.left[: min(self.cut * 16, max_bytes)]
        if not part:
            raise anyio.EndOfStream
        self.left = self.left[len(part) :]
        return part

    async def send(self, item: bytes) -> None: ...

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None: ...


@quick_dataclass.dataclass(frozen=True, kw_only=True)
class _Dialer(Dialer):
    """Connects to that."""

    wire: _Wire = field(default_factory=lambda: _Wire(b"", 1))

    async def connect(self) -> ByteStream:
        return self.wire


def _client(data: bytes, cut: int) -> Client:
    dialer = _Dialer(
        target=_ADDRESS, address="192.0.2.1", context=None, timeout_s=60, wire=_Wire(data, cut)
    )
    return Client(dialer, slots=anyio.CapacityLimiter(8))


def _answer(data: bytes, *, limit: int = _LIMIT) -> tuple[Client, Exchange]:
    client = _client(data[1:], data[0] if data else 1)

    async def work() -> Exchange:
        client.slots = anyio.CapacityLimiter(8)
        return await client.send("GET", "/app/", limit=limit)

    return client, run(work())


def http(data: bytes) -> Hashable:
    """Read an answer, bounded, and say what it is."""
    client, answer = _answer(data)
    assert len(answer.text) <= 64 * 1024
    assert answer.size <= _LIMIT + 64 * 1024
    client.jar.keep(answer)
    assert len(client.jar.names) <= 100
    for line in client.cookies_for("/app/"):
        assert "\r" not in line
        assert "\n" not in line
    for location in (value for name, value in answer.headers if name == "location"):
        moved = _ADDRESS.following(location)
        if moved is not None:
            assert moved.origin.host == "app.test"
            assert BasePath("/app").strip_from(moved.base_path.decoded) is not None
    names = (pages.login_of(answer), pages.default_page_of(answer), pages.refusal_of(answer))
    pages.title_of(answer)
    pages.asset_base(answer)
    self_check.parse(answer)
    _check_printable(redacted(asdict(answer)))
    return (answer.failure, answer.status, pages.is_streamlit(answer), *map(bool, names))


def rules(data: bytes) -> Hashable:
    """Evaluate an app one of whose answers is this one."""
    place = _PLACES[(data[0] if data else 0) % len(_PLACES)]
    _, answer = _answer(data[1:], limit=_PAGE_LIMIT)
    if place in _SEEN.http:
        was = _SEEN.http[place]
        answer = replace(answer, url=was.url, method=was.method)
        return _evaluate(replace(_SEEN, http={**_SEEN.http, place: answer}))
    opening = replace(
        _SEEN.openings[place],
        status=answer.status,
        headers=answer.headers,
        text=answer.text,
        failure=answer.failure,
    )
    return _evaluate(replace(_SEEN, openings={**_SEEN.openings, place: opening}))


def _evaluate(seen: Observations) -> Hashable:
    """Have every rule evaluate it: none fails, and what it says can be printed."""
    diagnosis = diagnose(seen)
    crashed = [check for check in diagnosis.checks if check.status is Status.CRASH]
    assert not crashed, crashed
    for found in diagnosis.findings:
        _check_printable(redacted({"evidence": found.evidence, "fix": found.fix, "hop": found.hop}))
    return tuple((one.code, one.status) for one in diagnosis.checks if one.status != Status.PASS)


def _check_printable(value: Any) -> None:
    if isinstance(value, str):
        assert all(char.isprintable() or char == "\n" for char in value), value
    elif isinstance(value, Mapping):
        for one in value.values():
            _check_printable(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_printable(one)


def websocket(data: bytes) -> Hashable:
    """Read the answer to a handshake, and a session of frames behind it."""
    cut, frames = (data[0] if data else 1), data[1:]

    async def shake() -> Any:
        client = _client(frames, cut)
        client.slots = anyio.CapacityLimiter(8)
        async with open_socket(
            client, "/app/_stcore/stream", origin="https://app.test", protocols=["streamlit"]
        ) as (opening, socket):
            if socket is not None:
                await run_script(socket, timeout_s=60)
            return opening

    async def talk() -> Any:
        wire = _Wire(frames, cut)
        return await run_script(Socket(wire, b""), timeout_s=60)

    opening, session = run(shake()), run(talk())
    assert len(opening.text) <= 64 * 1024
    assert session.size <= len(frames)
    assert len(session.exception) <= 100
    assert len(session.close_reason) <= 200
    pages.stripped_by_stlaunch(opening)
    pages.refused_by_stlaunch(opening)
    return (opening.failure, opening.status, session.messages, session.close_code,
            bool(session.damage), session.finished_ms is None)  # fmt: skip


def http_2(data: bytes) -> Hashable:
    """Read an answer of HTTP/2 to its status."""
    notes: list[str] = []
    cut, body = (data[0] if data else 1), data[1:]
    http2._status(body)

    async def work() -> Any:
        client = _client(b"", 1)
        with contextlib.suppress(OSError, anyio.BrokenResourceError, anyio.EndOfStream):
            return await http2._shake(_Wire(body, cut), client, Browser(), notes)
        return None

    seen = run(work())
    status = seen.status if seen is not None else None
    assert status is None or 0 <= status < 10**127
    return (len(notes), status if status is None or status < 1000 else 1000, seen is None)


def tunnel_answers(data: bytes) -> Hashable:
    """Read the answers of a tunnel as the page does, and run a session on them."""
    socket = TunnelSocket(_client(b"", 1), "/app/_stlaunch/tunnel/x")
    socket._take(data)
    kept = sum(map(len, socket._messages)) + len(socket._partial)
    assert kept <= len(data)
    assert socket.close_code is None or 0 <= socket.close_code < 1 << 16
    assert len(socket.close_reason) <= 198
    return (len(socket._messages), bool(socket.damage), socket.close_code is None)


def reports(data: bytes) -> Hashable:
    """Evaluate an app by reports that somebody else wrote."""
    parts = data.split(_NEXT)
    parsed = [
        self_check.parse(replace(_JSON, text=part.decode("utf-8", "replace"))) for part in parts
    ]
    report, forged = (*parsed, None, None)[:2]
    with contextlib.suppress(ValueError, RecursionError):
        handshake = {"sent": (), "arrived": self_check._pairs(json.loads(parts[-1]))}
        _evaluate(replace(_SEEN, handshake=handshake))
    return _evaluate(replace(_SEEN, self_check=report, forged=forged or report))


def set_cookies(data: bytes) -> Hashable:
    """Read a Set-Cookie line."""
    cookie = SetCookie.parse(data.decode("latin-1"))
    return (cookie.is_secure, cookie.is_expired, cookie.reaches(_ADDRESS), bool(cookie.domain))


def _http2(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + number.to_bytes(4, "big") + payload
    )


def _frame(number: int, flags: int, payload: bytes) -> bytes:
    return struct.pack("!IBI", number, flags, len(payload)) + payload


_NEXT = b"\n----\n"
_REPORT = json.dumps(_SEEN.self_check).encode()
_JSON = Exchange(
    url="https://app.test/app/_stlaunch/check",
    method="GET",
    status=200,
    headers=(("content-type", "application/json"),),
)
_ANSWER = b"\x08HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_BODY = b'<title>Streamlit</title><div id="root"></div><script src="./static/js/index.a.js">'
_SWITCHED = (
    b"\x04HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Protocol: streamlit\r\nSec-WebSocket-Accept: x\r\n\r\n"
)
_ADVERTISED = _http2(4, 0, 0, (8).to_bytes(2, "big") + (1).to_bytes(4, "big"))

_HTTP_SEEDS = (
    _ANSWER + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY,
    _ANSWER + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"\x01HTTP/1.1 302 Found\r\nLocation: https://app.test/app/x/\r\nContent-Length: 0\r\n\r\n",
    b"\x08HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nServer: nginx/1.2\r\n\r\n",
    b"\x08HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 502 Bad Gateway\r\nVia: 1.1 x\r\n\r\nno",
    _ANSWER + b"Set-Cookie: a=b; Path=/app; Max-Age=3; Secure\r\nContent-Encoding: gzip\r\n\r\nx",
    _ANSWER + b"Content-Security-Policy: default-src 'self'\r\nX-Frame-Options: DENY\r\n\r\nx",
)


def _recorded(number: int, place: str) -> bytes:
    """Return the recorded answer in one place, as a server sends it."""
    seen = _SEEN.http.get(place) or _SEEN.openings[place]
    body = seen.text.encode()
    framing = {"content-length", "transfer-encoding", "content-encoding"}
    lines = [f"{name}: {value}" for name, value in seen.headers if name not in framing]
    head = "\r\n".join([f"HTTP/1.1 {seen.status} X", *lines, f"content-length: {len(body)}"])
    return bytes([number, 255]) + head.encode("latin-1") + b"\r\n\r\n" + body


_RULE_SEEDS = (
    *(_recorded(number, place) for number, place in enumerate(_PLACES)),
    *(bytes([_PLACES.index("page")]) + seed for seed in _HTTP_SEEDS),
)
_STATUSES = tuple(
    b" %d " % status
    for status in (200, 301, 304, 307, 400, 401, 403, 404, 405, 413, 426, 429, 500, 502, 503, 504)
)
_SIGNS = tuple(
    sorted({f"\r\n{known.sign.header}: ".encode() for known in table() if known.sign.header})
)
_HTTP_TOKENS = (
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 ",
        b"HTTP/1.1 101 X\r\n",
        b"Location: ",
        b"\r\nServer: ",
    ),
    *(
        b"\r\nSet-Cookie: ",
        b"\r\nVia: ",
        b"\r\nContent-Length: ",
        b"\r\nTransfer-Encoding: ",
    ),
    *(
        b"\r\nContent-Security-Policy: ",
        b"\r\nPermissions-Policy: ",
        b"\r\nWWW-Authenticate: ",
    ),
    *(
        b"\r\nDate: ",
        b"\r\nCache-Control: ",
        b"\r\nAge: ",
        b"\r\nStrict-Transport-Security: ",
    ),
    *(b"\r\nAlt-Svc: ", b"http://[::1", b"https://app.test/app/", b"\x1b]0;x\x07", _BODY),
)

TARGETS = (
    Target(
        name="check-http",
        promise="an answer is read within its bounds, and can be printed",
        run=http,
        seeds=_HTTP_SEEDS,
        tokens=_HTTP_TOKENS,
    ),
    Target(
        name="check-rules",
        promise="every rule evaluates any answer, and says what can be printed",
        run=rules,
        seeds=_RULE_SEEDS,
        tokens=(*_HTTP_TOKENS, *_STATUSES, *_SIGNS),
        max_bytes=16_000,
    ),
    Target(
        name="check-websocket",
        promise="an answer and its frames are read within their bounds",
        run=websocket,
        seeds=(
            _SWITCHED + b"\x82\x02\x32\x00",
            b"\x04\x82\x02\x32\x00\x88\x04\x03\xe8ok",
            b"\x04\x02\x01\x0a\x80\x00\x89\x01x\x82\x06\x22\x04\x32\x02hi",
            b"\x04HTTP/1.1 426 Upgrade Required\r\nContent-Length: 27\r\n\r\n"
            b'{"verdict":"not_a_handshake"}',
            b"\x04HTTP/1.1 403 No\r\n\r\n" + b'{"schema":"stlaunch.refusal/1","code":"STL501"}',
        ),
        tokens=(
            *(b"\x82\x7e\x01\x00", b"\x82\x7f", b"\xc2\x05", b"\x80\x00", b"\x89\x00", b"\x8a\x00"),
            *(
                b"\x88\x00",
                b"\x2a",
                b"\x22",
                b"\x32",
                b"\x1a\x05",
                b"\xff" * 10,
                _SWITCHED[1:],
                b"\r\n",
            ),
        ),
    ),
    Target(
        name="check-http2",
        promise="frames of HTTP/2 end in a status, or in none",
        run=http_2,
        seeds=(
            b"\x09" + _ADVERTISED + _http2(1, 4, 1, b"\x88"),
            b"\x02"
            + _ADVERTISED
            + _http2(6, 0, 0, b"x" * 8)
            + _http2(1, 12, 1, b"\x02\x48\x03200pp"),
            b"\x09" + _ADVERTISED + _http2(1, 36, 1, b"\0\0\0\0\x10\x3f\xe1\x1f\x08\x82\x10\x02"),
            b"\x09" + _ADVERTISED + _http2(7, 0, 0, b"bye") + _http2(3, 0, 1, b"\0\0\0\1"),
        ),
        tokens=(
            *(_ADVERTISED, _http2(1, 4, 1, b"\x8d"), _http2(4, 1, 0, b""), _http2(4, 0, 0, b"")),
            *(b"\x3f", b"\x48\x82", b"\x08\x03404", b"\x00\x40\x00", b"\x88"),
        ),
    ),
    Target(
        name="check-tunnel",
        promise="answers of a tunnel are read within what came",
        run=tunnel_answers,
        seeds=(
            _frame(0, 8, b"") + _frame(1, 1, b"hello") + _frame(2, 0, b"a") + _frame(3, 1, b"b"),
            _frame(1, 4, b"\x03\xe8reason"),
        ),
        tokens=(*(_frame(n, 1, b"") for n in (1, 2, 3)), b"\xff\xff\xff\xff", b"\x08", b"\x04"),
    ),
    Target(
        name="check-report",
        promise="no report that somebody wrote makes a rule fail, and all of it can be printed",
        run=reports,
        seeds=(
            b'{"schema": "stlaunch.selfcheck/1"}',
            _REPORT,
            _REPORT + _NEXT + _REPORT,
            _REPORT + _NEXT + b'[{"name": "host", "value": "x"}]',
        ),
        tokens=(b'"": ', b"null", b"[]", b"{}", b"1e400", b'"\\u001b"', b'"x"', b"[[", _NEXT),
        max_bytes=40_000,
    ),
    Target(
        name="check-cookies",
        promise="any line is a cookie, or none",
        run=set_cookies,
        seeds=(
            b"a=b; Path=/app; Domain=.app.test; Secure; HttpOnly; SameSite=Lax",
            b"__Host-x=1; Max-Age=-1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
        tokens=(
            b"; Path=",
            b"; Domain=",
            b"; Expires=",
            b"; Max-Age=",
            b"Thu, 01 Jan 9999 00:00:00 GMT",
        ),
    ),
)
