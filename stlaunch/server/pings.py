"""Ping all sockets in step; each socket's interval is decided elsewhere."""

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
    """uvicorn's WebSocket protocol, with pings at whole seconds.

    A thousand idle sessions then wake the process once a second instead of at a thousand different
    times: waking up costs more than a ping. A ping is sent up to a second early, never late,
    because proxies cut idle sockets.
    """

    pings: SocketPings | None = None
    _used_before = 0.0

    def handle_connect(self, event: Request) -> None:
        """Start the app on a handshake; the app may set how often this socket is pinged."""
        super().handle_connect(event)
        extensions: Any = getattr(self, "scope", {}).get("extensions")
        if extensions is not None:  # a handshake that is already answered has no scope
            self.pings = SocketPings(interval_s=self.ping_interval)
            extensions[EXTENSION] = self.pings  # the app's task starts after this

    def start_keepalive(self) -> None:
        """Start pinging an accepted socket."""
        if self.pings is not None:
            self.ping_interval = self.pings.interval_s
        super().start_keepalive()

    def schedule_ping(self) -> None:
        """Set the timer of the next ping."""
        due = self.loop.time() + (self.ping_interval or 0.0) - self.last_ping_rtt
        self.ping_timer = self.loop.call_at(math.floor(due), self.send_keepalive_ping)

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Send a message from the app, which counts as use."""
        self._is_used()
        return super().send(message)

    def data_received(self, data: bytes) -> None:
        """Receive bytes; even the answer to a ping counts as use."""
        self._is_used()
        super().data_received(data)

    def handle_close(self, event: Frame) -> None:
        """Close as the other side asks; this is not use, as it may be a proxy giving up."""
        if self.pings is not None:
            self.pings.used_at = self._used_before
        super().handle_close(event)

    def keepalive_timeout(self) -> None:
        """End a socket whose page does not answer; count it as used, as no proxy has cut it."""
        self._is_used()
        super().keepalive_timeout()

    def _is_used(self) -> None:
        if self.pings is not None:
            self._used_before, self.pings.used_at = self.pings.used_at, time.monotonic()
