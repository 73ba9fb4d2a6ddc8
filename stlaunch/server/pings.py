"""Ping all sockets together; how often is decided elsewhere."""

from __future__ import annotations

import math

from stlaunch.server.refusing import RefusingWebSockets


class PingsInStep(RefusingWebSockets):
    """uvicorn's WebSocket protocol, whose pings go out at whole seconds.

    A thousand idle sessions then wake the process once a second, and not at a thousand times of
    their own: waking up costs more than a ping. A ping is sent up to a second early, never late,
    because proxies cut what is idle.
    """

    def schedule_ping(self) -> None:
        """Set the timer of the next ping."""
        due = self.loop.time() + (self.ping_interval or 0.0) - self.last_ping_rtt
        self.ping_timer = self.loop.call_at(math.floor(due), self.send_keepalive_ping)
