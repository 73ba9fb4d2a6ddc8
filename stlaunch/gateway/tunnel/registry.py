"""The open tunnels of this process, and their limits."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from stlaunch.gateway.tunnel.tunnel import Tunnel

_SWEEP_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelLimits:
    """Bounds on what clients may make this process hold.

    Attributes:
        most: tunnels in all.
        most_per_client: tunnels of one browser or address.
        idle_s: life without any request; hidden tabs may be held to one a minute.
        poll_s: how long a poll is held; below the 30 s after which many proxies give up.
    """

    most: int = 2000
    most_per_client: int = 64
    idle_s: float = 100.0
    poll_s: float = 20.0


@dataclass(slots=True)
class TunnelRegistry:
    """Finds tunnels by id, and ends those whose page is gone."""

    limits: TunnelLimits = field(default_factory=TunnelLimits)
    is_stopping: bool = False
    _tunnels: dict[str, Tunnel] = field(default_factory=dict)
    _owners: Counter[str] = field(default_factory=Counter)
    _sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tunnels)

    def has_room(self, owner: str) -> bool:
        """Tell whether one more tunnel of this owner is within the limits."""
        is_full = len(self._tunnels) >= self.limits.most
        return not is_full and self._owners[owner] < self.limits.most_per_client

    def add(self, tunnel: Tunnel) -> None:
        """Keep a tunnel until it is removed or abandoned."""
        self._tunnels[tunnel.id] = tunnel
        self._owners[tunnel.owner] += 1
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep(), name="tunnel sweeper")

    def find(self, tunnel_id: str) -> Tunnel | None:
        """Return the tunnel of this id, if it is open here."""
        return self._tunnels.get(tunnel_id)

    def remove(self, tunnel: Tunnel) -> None:
        """Forget a tunnel."""
        if self._tunnels.pop(tunnel.id, None) is not None:
            self._owners[tunnel.owner] -= 1
            if self._owners[tunnel.owner] <= 0:
                del self._owners[tunnel.owner]

    @property
    def has_unsent_end(self) -> bool:
        """Whether a page has not heard yet that its tunnel is closed."""
        return any(tunnel.is_closed and not tunnel.is_end_sent for tunnel in self._tunnels.values())

    async def stop(self) -> None:
        """Close all tunnels with 1012 (service restart), so that no poll holds the process up."""
        self.is_stopping = True
        for tunnel in list(self._tunnels.values()):
            await tunnel.close(1012)
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep(self) -> None:
        while self._tunnels:
            await asyncio.sleep(min(_SWEEP_S, self.limits.idle_s / 2))
            for tunnel in list(self._tunnels.values()):
                is_read = tunnel.is_closed and not tunnel.outbox.frames
                if tunnel.is_abandoned or is_read:
                    self.remove(tunnel)
                    await tunnel.end()
