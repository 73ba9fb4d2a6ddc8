"""Read the fields of a protobuf message without its schema: as much as one session needs.

See https://protobuf.dev/programming-guides/encoding/. It is lenient towards fields it does not
know and strict about lengths, and copies nothing before a field is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_MAX_VARINT = 10


class DamagedMessageError(ValueError):
    """The bytes are not a protobuf message."""


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value); a varint is an int, everything else the bytes.

    Raises:
        DamagedMessageError: where the bytes end early or name a kind that does not exist.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise DamagedMessageError("field number 0")
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _LEN:
            length, at = _varint(data, at)
        elif kind in {_I64, _I32}:
            length = 8 if kind == _I64 else 4
        else:
            raise DamagedMessageError(f"wire type {kind}")
        if length > len(data) - at:
            raise DamagedMessageError("a length beyond the end")
        yield number, data[at : at + length]
        at += length


def find(data: memoryview, *path: int) -> int | memoryview | None:
    """Return the first value at a path of field numbers; None where there is none."""
    value: int | memoryview | None = data
    for number in path:
        if not isinstance(value, memoryview):
            return None
        value = next((found for name, found in fields(value) if name == number), None)
    return value


def text(data: memoryview, *path: int) -> str:
    """Return the text at a path; empty where there is none."""
    value = find(data, *path)
    return bytes(value[:4096]).decode("utf-8", "replace") if isinstance(value, memoryview) else ""


def padded_field(number: int, size: int) -> bytes:
    """Return a bytes field of `size` zeros, for a message of a given size."""
    return _encoded(number << 3 | _LEN) + _encoded(size) + bytes(size)


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_MAX_VARINT):
        if at >= len(data):
            raise DamagedMessageError("the end in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at
    raise DamagedMessageError("a number without end")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - the continuation bit
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
