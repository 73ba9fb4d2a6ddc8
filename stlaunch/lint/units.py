"""Parse times, sizes and numbers as proxies write them; None for anything else."""

from __future__ import annotations

import re

_SECONDS = {
    "ms": 0.001,
    "s": 1,
    "": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "us": 0.000001,
}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def whole(text: str) -> int | None:
    """Read `12`: ASCII digits alone, and no more than any proxy takes.

    >>> whole("12"), whole("²"), whole("9" * 5000), whole("$x")
    (12, None, None, None)
    """
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def seconds(text: str, *, default_unit: str = "") -> float | None:
    """Read `60`, `75s`, `1m30s`, `500ms`.

    >>> seconds("1m30s"), seconds("60"), seconds("$x")
    (90, 60, None)
    """
    text = text.replace(" ", "").lower()
    # A unit after each number but the last: with all of them optional, a long one never ends.
    if not text or not re.fullmatch(r"(?:[0-9]{1,15}(?:us|ms|[smhdw]))*(?:[0-9]{1,15})?", text):
        return None
    return sum(
        int(number) * _SECONDS[unit or default_unit]
        for number, unit in re.findall(r"([0-9]{1,15})(us|ms|[smhdw])?", text)
    )


def size(text: str) -> int | None:
    """Read `1m`, `10K`, `0` as bytes.

    >>> size("1m"), size("0"), size("x")
    (1048576, 0, None)
    """
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)b?", text.strip().lower())
    return int(match[1]) * _BYTES[match[2]] if match else None
