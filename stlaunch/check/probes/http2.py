"""Open a WebSocket over HTTP/2 (RFC 8441), as browsers do wherever a server offers it.

As much of HTTP/2 (RFC 9113) and HPACK (RFC 7541) as one request needs: what is sent is never
compressed, and of the answer only `:status` is read.
"""

from __future__ import annotations

import anyio
from anyio.abc import ByteStream

from stlaunch.check.client import CHECK, USER_AGENT, Client
from stlaunch.check.dialer import Dialer, failure_of, make_context
from stlaunch.check.observations import Http2
from stlaunch.check.probes.stream import Browser
from stlaunch.urls.streamlit_routes import STREAM

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 1, 3, 4, 6, 7
_ACK = 1
_END_HEADERS = 4
_PADDED, _PRIORITY = 8, 32
_ENABLE_CONNECT_PROTOCOL = 8
_STREAM_ID = 1
_MAX_FRAME = 16384
_MAX_FRAMES = 200
_STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
# RFC 7541, appendix B: the codes of the digits alone.
_DIGITS = {
    f"{code:0{length}b}": str(digit)
    for digit, (code, length) in enumerate(
        [(0, 5), (1, 5), (2, 5), (25, 6), (26, 6), (27, 6), (28, 6), (29, 6), (30, 6), (31, 6)]
    )
}


async def ask_http2(client: Client, browser: Browser) -> Http2 | None:
    """Try a handshake over HTTP/2; None where the server does not speak it."""
    dialer = client.dialer
    over_h2 = Dialer(
        target=dialer.target,
        address=dialer.address,
        # The server's identity was checked before; nothing is sent to an untrusted server.
        context=make_context(is_insecure=not _is_checked(dialer), alpn=("h2",)),
        timeout_s=dialer.timeout_s,
    )
    notes: list[str] = []
    async with client.one_connection():
        with anyio.move_on_after(dialer.timeout_s):
            try:
                stream = await over_h2.connect()
            except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                return None
            try:
                return await _shake(stream, client, browser, notes)
            except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as exc:
                notes.append(failure_of(exc)[1])
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.aclose_forcefully(stream)
    # Without the server's settings nothing was advertised.
    is_advertised = "advertised" in notes
    return Http2(is_advertised=is_advertised, detail=notes[-1] if notes[1:] else "no answer")


def _is_checked(dialer: Dialer) -> bool:
    return dialer.context is not None and dialer.context.check_hostname


async def _shake(stream: ByteStream, client: Client, browser: Browser, notes: list[str]) -> Http2:
    await stream.send(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
    data = bytearray()
    for _ in range(_MAX_FRAMES):
        kind, flags, number, payload = await _receive(stream, data)
        if kind == _SETTINGS and not flags & _ACK:
            if not notes:
                if not _is_advertised(payload):
                    return Http2(is_advertised=False)
                notes.append("advertised")
                block = _header_block(client, browser)
                opening = _frame(_HEADERS, _END_HEADERS, _STREAM_ID, block)
                await stream.send(_frame(_SETTINGS, _ACK, 0, b"") + opening)
            else:
                await stream.send(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            await stream.send(_frame(_PING, _ACK, 0, payload))
        elif kind == _HEADERS and number == _STREAM_ID:
            return Http2(is_advertised=True, status=_status(_without_padding(flags, payload)))
        elif kind == _GOAWAY or (kind == _RST_STREAM and number == _STREAM_ID):
            what = "GOAWAY" if kind == _GOAWAY else "RST_STREAM"
            return Http2(is_advertised=bool(notes), detail=f"the server answers {what}")
    return Http2(is_advertised=bool(notes), detail="no answer among many frames")


def _frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big")
        + bytes([kind, flags])
        + number.to_bytes(4, "big")
        + (payload)
    )


async def _receive(stream: ByteStream, data: bytearray) -> tuple[int, int, int, bytes]:
    await _fill(stream, data, 9)
    length = int.from_bytes(data[:3], "big")
    kind, flags, number = data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
    if length > _MAX_FRAME:
        raise anyio.BrokenResourceError
    await _fill(stream, data, 9 + length)
    payload = bytes(data[9 : 9 + length])
    del data[: 9 + length]
    return kind, flags, number, payload


async def _fill(stream: ByteStream, data: bytearray, size: int) -> None:
    while len(data) < size:
        data += await stream.receive(_MAX_FRAME)


def _is_advertised(settings: bytes) -> bool:
    pairs = (settings[at : at + 6] for at in range(0, len(settings) - 5, 6))
    wanted = _ENABLE_CONNECT_PROTOCOL.to_bytes(2, "big") + (1).to_bytes(4, "big")
    return any(pair == wanted for pair in pairs)


def _header_block(client: Client, browser: Browser) -> bytes:
    target = client.dialer.target
    path = target.path(STREAM)
    cookies = client.cookies_for(path)
    pairs = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", path),
        (":authority", target.host),
        ("user-agent", USER_AGENT),
        ("origin", str(target.origin)),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", ", ".join(browser.protocols())),
        *((name.lower(), value) for name, value in (*client.headers_for(path), CHECK)),
    ]
    if cookies:
        pairs.append(("cookie", "; ".join(cookies)))
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in pairs)


def _string(text: str) -> bytes:
    data = text.encode("latin-1", "replace")
    return _integer(len(data), 7) + data


def _integer(value: int, prefix_bits: int) -> bytes:
    """Encode an integer as in RFC 7541 section 5.1."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    out = bytearray([most])
    value -= most
    while value >= 0x80:  # noqa: PLR2004 - the continuation bit
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _without_padding(flags: int, payload: bytes) -> bytes:
    if flags & _PADDED:
        payload = payload[1 : len(payload) - payload[0]] if payload else b""
    return payload[5:] if flags & _PRIORITY else payload


def _status(block: bytes) -> int | None:
    """Return `:status`, which comes first; None where it cannot be read."""
    at = 0
    while at < len(block) and block[at] & 0xE0 == 0x20:  # noqa: PLR2004 - a table size update
        at += 1
        if block[at - 1] & 0x1F == 0x1F:  # noqa: PLR2004 - one that takes more bytes
            while at < len(block) and block[at] & 0x80:
                at += 1
            at += 1
    if at >= len(block):
        return None
    first = block[at]
    if first & 0x80:
        return _STATIC_STATUS.get(first & 0x7F)
    if (first & 0x3F if first & 0x40 else first & 0x0F) not in _STATIC_STATUS or at + 1 >= len(
        block
    ):
        return None
    length, is_coded = block[at + 1] & 0x7F, bool(block[at + 1] & 0x80)
    text = block[at + 2 : at + 2 + length]
    digits = _decoded(text) if is_coded else text.decode("latin-1")
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _decoded(data: bytes) -> str:
    bits, text = "".join(f"{byte:08b}" for byte in data), ""
    while len(text) < 3:  # noqa: PLR2004 - a status
        code = next((code for code in _DIGITS if bits.startswith(code)), None)
        if code is None:
            return ""
        text, bits = text + _DIGITS[code], bits[len(code) :]
    return text
