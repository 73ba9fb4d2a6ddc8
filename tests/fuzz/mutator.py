"""Make hostile inputs out of good ones, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

_MAX_POOL = 3000
_ODD = (
    *(b"\x00", b"\x01", b"\t", b"\n", b"\r\n", b"\x1b", b" ", b"%", b"%00", b"%0a", b"%2f", b"%5c"),
    *(b"/", b"//", b"/../", b"\\", b".", b"..", b"?", b"#", b"&", b";", b",", b":", b"=", b"@"),
    *(b'"', b"'", b"<", b">", b"{", b"}", b"[", b"]", b"(", b")", b"\x7f", b"\x80", b"\x85"),
    *(b"\xa0", b"\xff", b"\xc3\xa9", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80"),
    *(b"0", b"-1", b"65536", b"4294967296", b"1e999", b"nan", b"\xd9\xa3", b"null", b"true"),
)


class Mutator:
    """Returns one input after another.

    Args:
        seeds: the first ones.
        tokens: are inserted as they are.
        rng: decides everything.
        max_bytes: of an input.
    """

    def __init__(
        self,
        seeds: Sequence[bytes],
        tokens: Sequence[bytes],
        rng: random.Random,
        max_bytes: int,
    ) -> None:
        self._pool = list(seeds)
        self._tokens = (*_ODD, *tokens, *tokens)
        self._rng = rng
        self._max_bytes = max_bytes

    def keep(self, data: bytes) -> None:
        """Mutate this one too."""
        if len(self._pool) < _MAX_POOL:
            self._pool.append(data)

    def make(self) -> bytes:
        """Return the next input."""
        data = self._rng.choice(self._pool)
        for _ in range(self._rng.choice((1, 1, 2, 3, 5, 8))):
            data = self._change(data)
        return data[: self._max_bytes]

    def _change(self, data: bytes) -> bytes:
        rng = self._rng
        at = rng.randint(0, len(data))
        end = min(len(data), at + int(rng.expovariate(1 / 8)) + 1)
        match rng.randrange(9):
            case 0:
                return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1:
                return data[:at] + data[end:]
            case 2:
                return data[:at] + data[at:end] * rng.choice((2, 2, 3, 40)) + data[end:]
            case 3 | 4:
                return data[:at] + rng.choice(self._tokens) + data[at:]
            case 5:
                return data[:at] + rng.choice(self._tokens) + data[end:]
            case 6:
                other = rng.choice(self._pool)
                return data[:at] + other[rng.randint(0, len(other)) :]
            case 7:
                other = rng.choice(self._pool)
                start = rng.randint(0, len(other))
                return data[:at] + other[start : start + end - at] + data[end:]
            case _:
                return data[:at] + rng.choice(self._tokens) * rng.choice((2, 9, 300)) + data[at:]
