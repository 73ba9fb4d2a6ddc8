"""Ping all sockets together; how often is decided elsewhere, for each socket."""

from __future__ import annotations

import math
import time
from collections.abc import Coroutine
from typing import Any

from websockets.frames import Frame
from websockets.http11 import Request

from stlaunch.gateway.socket_pings import EXTENSION, SocketPings
from stlaunch.server.malformed_requests import RefusingWebSockets


class PingsInStep(RefusingWebSockets):
    """uvicorn's WebSocket protocol, whose pings go out at whole seconds.

    A thousand idle sessions then wake the process once a second, and not at a thousand times of
    their own: waking up costs more than a ping. A ping is sent up to a second early, never late,
    because proxies cut what is idle.
    """

    pings: SocketPings | None = None
    _used_before = 0.0

    def handle_connect(self, event: Request) -> None:
        """Start the app on a handshake; it may say how often this socket is to be pinged."""
        super().handle_connect(event)
        extensions: Any = getattr(self, "scope", {}).get("extensions")
        if extensions is not None:  # a handshake that is answered already has no scope
            self.pings = SocketPings(interval_s=self.ping_interval)
            extensions[EXTENSION] = self.pings  # the app's task begins after this

    def start_keepalive(self) -> None:
        """Begin to ping an accepted socket."""
        if self.pings is not None:
            self.ping_interval = self.pings.interval_s
        super().start_keepalive()

    def schedule_ping(self) -> None:
        """Set the timer of the next ping."""
        due = self.loop.time() + (self.ping_interval or 0.0) - self.last_ping_rtt
        self.ping_timer = self.loop.call_at(math.floor(due), self.send_keepalive_ping)

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Send a message of the app: the socket is in use."""
        self._is_used()
        return super().send(message)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; the answer to a ping is use as well."""
        self._is_used()
        super().data_received(data)

    def handle_close(self, event: Frame) -> None:
        """End it as the other side wants: a proxy that gives up may say so. It is no use."""
        if self.pings is not None:
            self.pings.used_at = self._used_before
        super().handle_close(event)

    def keepalive_timeout(self) -> None:
        """End a socket whose page does not answer: nobody else has cut it."""
        self._is_used()
        super().keepalive_timeout()

    def _is_used(self) -> None:
        if self.pings is not None:
            self._used_before, self.pings.used_at = self.pings.used_at, time.monotonic()
