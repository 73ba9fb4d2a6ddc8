"""Answer malformed requests that uvicorn's HTTP and WebSocket protocols leave hanging.

Each class closes one gap and changes nothing else; uvicorn still answers well-formed requests.
"""

from __future__ import annotations

import logging
import time

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

logger = logging.getLogger(__name__)

_LOGGED_EVERY_S = 60.0
_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 28\r\nConnection: close\r\n\r\nThe handshake is malformed.\n"
)


class RefusingWebSockets(WebSocketsSansIOProtocol):
    """Answers an unparsable handshake with 400, 414 or 431, and closes the connection.

    Otherwise websockets never sends its answer, and uvicorn waits forever for a handshake.
    """

    _logged_at = float("-inf")

    def data_received(self, data: bytes) -> None:
        """Receive bytes; the first ones contain the whole handshake."""
        super().data_received(data)
        trouble = self.conn.handshake_exc
        if trouble is None or self.handshake_initiated or self.transport.is_closing():
            return
        # From here on nothing waits for this handshake, not even the server's shutdown.
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or _BAD_REQUEST)
        self.transport.close()
        self._log(str(trouble.__cause__ or trouble))

    @classmethod
    def _log(cls, trouble: str) -> None:
        now = time.monotonic()
        if now - cls._logged_at >= _LOGGED_EVERY_S:
            cls._logged_at = now
            logger.warning("A WebSocket handshake was refused as malformed: %r.", trouble[:200])


class QuietH11(H11Protocol):
    """Ends a request whose body turns out malformed: the app gets a disconnect.

    uvicorn answers 400 for the app; an answer of the app's own would then log an error.
    """

    def send_400_response(self, msg: str) -> None:
        """Answer 400, after reporting to the app that the client is gone."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:  # a second answer cannot be sent
                self.transport.close()
                return
        super().send_400_response(msg)
