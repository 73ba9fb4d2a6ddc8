"""What our own server and the gateway say to each other about the pings of one WebSocket.

It travels in the scope's extensions, so that neither has to look into the other. Under another
server, which has no such extension, sockets are pinged as that server pings.
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
        interval_s: how often a quiet socket is pinged; to be changed until it is accepted.
        used_at: when anything but a ping of ours went either way (`time.monotonic`).
    """

    interval_s: float | None
    used_at: float = field(default_factory=time.monotonic)


def pings_of(scope: Mapping[str, Any]) -> SocketPings | None:
    """Return those of a handshake; None under a server that does not let us decide."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found if isinstance(found, SocketPings) else None
