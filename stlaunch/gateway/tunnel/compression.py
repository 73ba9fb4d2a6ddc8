"""Compress the tunnel's answers with gzip, whole or piece by piece."""

from __future__ import annotations

import gzip
import zlib

from anyio import to_thread

_LEVEL = 1
_LARGE = 256 * 1024
"""Larger bodies take more than a few milliseconds, and are compressed off the event loop."""
# A window of 4 KB and little memory: 24 KB for each open stream instead of 256 KB.
_GZIP_WINDOW = 16 + 12
_MEMORY = 4


async def compress(body: bytes) -> bytes:
    """Return a whole answer, compressed."""
    if len(body) < _LARGE:
        return gzip.compress(body, _LEVEL)
    return await to_thread.run_sync(gzip.compress, body, _LEVEL)


class StreamEncoder:
    """Compresses a stream so that each piece can be read as soon as it arrives.

    Args:
        is_compressed: whether the client accepts gzip; if not, the pieces go out as they are.
    """

    def __init__(self, *, is_compressed: bool) -> None:
        self._gzip = (
            zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW, _MEMORY)
            if is_compressed
            else None
        )

    async def encode(self, piece: bytes) -> bytes:
        """Return the next bytes to send."""
        if len(piece) < _LARGE:
            return self._encode(piece)
        return await to_thread.run_sync(self._encode, piece)

    def finish(self) -> bytes:
        """Return the last bytes to send."""
        return self._gzip.flush() if self._gzip else b""

    def _encode(self, piece: bytes) -> bytes:
        if self._gzip is None:
            return piece
        return self._gzip.compress(piece) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
