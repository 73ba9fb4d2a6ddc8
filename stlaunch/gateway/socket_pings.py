"""Let our own server and the gateway agree on the pings of one WebSocket.

They share a record in the scope's extensions, so that neither has to look inside the other. Another
server has no such extension, and pings sockets in its own way.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from stlaunch.quick_dataclass import dataclass

EXTENSION = "stlaunch.pings"


@dataclass(slots=True, kw_only=True)
class SocketPings:
    """The pings of one socket.

    Attributes:
        interval_s: how often a quiet socket is pinged; can be changed until it is accepted.
        used_at: when anything but our own pings last went either way (`time.monotonic`).
    """

    interval_s: float | None
    used_at: float = field(default_factory=time.monotonic)


def pings_of(scope: Mapping[str, Any]) -> SocketPings | None:
    """Return the pings of a handshake; None under a server that does not let us decide."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found if isinstance(found, SocketPings) else None
