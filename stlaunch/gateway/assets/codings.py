"""List the compressions this Python supports, and choose a client's (RFC 9110, 12.5.3)."""

from __future__ import annotations

import functools
import importlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator

from stlaunch.gateway.quality_values import read_quality_values
from stlaunch.quick_dataclass import dataclass

_ZLIB_WITH_GZIP_HEADER = 31
_BROTLI_QUALITY = 9
_ZSTD_LEVEL = 15


@dataclass(frozen=True, slots=True)
class Coding:
    """One content coding; it works in pieces, so that no large file is in memory as a whole.

    Attributes:
        token: its name in HTTP, which is also the suffix of files kept in it.
        compress: slow, but makes small files: they are made once and downloaded often. The
            iterator of pieces can end it between two of them.
        decompress: raises `ValueError` for data that is not in this coding, or incomplete.
    """

    token: str
    compress: Callable[[Iterable[bytes]], bytes]
    decompress: Callable[[Iterable[bytes]], Iterator[bytes]]


@functools.cache
def available_codings() -> tuple[Coding, ...]:
    """Return the codings of this Python, the one with the smallest files first.

    gzip is always there, brotli with `stlaunch[brotli]`, zstd from Python 3.14.
    """
    makers = (_brotli, _zstd, _gzip)
    return tuple(coding for maker in makers if (coding := maker()) is not None)


def choose_coding(accept_encoding: str | None, offered: Collection[str]) -> str | None:
    """Return the token to answer with, or None for the uncompressed file.

    >>> choose_coding("gzip, deflate, br", ["br", "gzip"])
    'br'
    >>> choose_coding("gzip;q=0.5, identity", ["gzip"]) is None
    True

    Args:
        accept_encoding: the header as it arrived; several lines joined with commas.
        offered: the available codings, the best first. A client that accepts none of them, nor the
            uncompressed file, gets the uncompressed file, as the RFC allows.
    """
    values = read_quality_values(accept_encoding or "")
    # x-gzip is gzip (RFC 9110, 8.4.1.3).
    weights = {token.removeprefix("x-"): weight for token, weight in values.items()}
    others = weights.get("*", 0.0)
    best, best_weight = None, 0.0
    for token in offered:
        weight = weights.get(token, others)
        if weight > best_weight:
            best, best_weight = token, weight
    identity = weights.get("identity")
    return None if identity is not None and identity > best_weight else best


def _gzip() -> Coding:
    def compress(pieces: Iterable[bytes]) -> bytes:
        packer = zlib.compressobj(9, wbits=_ZLIB_WITH_GZIP_HEADER)
        return b"".join([*map(packer.compress, pieces), packer.flush()])

    def decompress(pieces: Iterable[bytes]) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(wbits=_ZLIB_WITH_GZIP_HEADER)
        try:
            yield from map(unpacker.decompress, pieces)
        except zlib.error as exc:
            raise ValueError("not gzip") from exc
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("not whole")

    return Coding("gzip", compress, decompress)


def _brotli() -> Coding | None:
    try:
        brotli = importlib.import_module("brotli")
    except ImportError:
        return None

    def compress(pieces: Iterable[bytes]) -> bytes:
        packer = brotli.Compressor(quality=_BROTLI_QUALITY)
        return b"".join([*map(packer.process, pieces), packer.finish()])

    def decompress(pieces: Iterable[bytes]) -> Iterator[bytes]:
        unpacker = brotli.Decompressor()
        try:
            yield from map(unpacker.process, pieces)
        except brotli.error as exc:
            raise ValueError("not brotli") from exc
        if not unpacker.is_finished():
            raise ValueError("not whole")

    return Coding("br", compress, decompress)


def _zstd() -> Coding | None:
    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError:
        return None

    def compress(pieces: Iterable[bytes]) -> bytes:
        packer = zstd.ZstdCompressor(level=_ZSTD_LEVEL)
        return b"".join([*map(packer.compress, pieces), packer.flush()])

    def decompress(pieces: Iterable[bytes]) -> Iterator[bytes]:
        unpacker = zstd.ZstdDecompressor()
        try:
            yield from map(unpacker.decompress, pieces)
        except (zstd.ZstdError, EOFError) as exc:
            raise ValueError("not zstd") from exc
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("not whole")

    return Coding("zstd", compress, decompress)
