"""The open tunnels of this process, and their limits."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import field

from stlaunch.gateway.places import PlaceLimits, Places, Visitor
from stlaunch.gateway.tunnel.frames import FRAGMENT_BYTES
from stlaunch.gateway.tunnel.tunnel import Tunnel
from stlaunch.quick_dataclass import dataclass

_SWEEP_S = 5.0
_ENDED_AT_ONCE = 4
_BETWEEN_ENDS_S = 0.01
# While all places are taken, a tunnel's first request has to arrive within this time.
_FIRST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelLimits:
    """Bounds on what clients may make this process hold.

    Attributes:
        max_tunnels: in total.
        max_per_client: tunnels of one browser.
        max_per_address: tunnels of one address.
        max_per_proxy: tunnels of an address that may be a proxy's.
        max_unfinished_bytes: of messages that have not arrived whole, in all tunnels together; one
            message of the largest size always fits.
        idle_s: lifetime without any request; browsers may limit hidden tabs to one a minute.
        first_use_s: lifetime without a first request; a page makes it at once.
        poll_s: how long a poll is held; below the 30 s after which many proxies give up.
    """

    max_tunnels: int = 2000
    max_per_client: int = 64
    max_per_address: int = 256
    max_per_proxy: int = 1500
    max_unfinished_bytes: int = 256 * 1024 * 1024
    idle_s: float = 100.0
    first_use_s: float = 10.0
    poll_s: float = 20.0


@dataclass(slots=True)
class TunnelRegistry:
    """Finds tunnels by id, and ends those whose page is gone."""

    limits: TunnelLimits = field(default_factory=TunnelLimits)
    is_stopping: bool = False
    _tunnels: dict[str, Tunnel] = field(default_factory=dict)
    _visitors: dict[str, Visitor] = field(default_factory=dict)
    _places: Places = field(init=False)
    _given_up: deque[Tunnel] = field(default_factory=deque)
    _ending: asyncio.Task[None] | None = None
    _sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tunnels)

    def __post_init__(self) -> None:
        limits = self.limits
        self._places = Places(
            PlaceLimits(
                most=limits.max_tunnels,
                per_browser=limits.max_per_client,
                per_address=limits.max_per_address,
                per_proxy=limits.max_per_proxy,
            )
        )

    def has_room(self, visitor: Visitor) -> bool:
        """Return whether one more tunnel of this visitor is within the limits.

        If it is not, a tunnel that nobody has used yet makes room: its page is gone. It is one
        whose place helps: a visitor at a limit of their own ends nobody else's.
        """
        if not self._places.has_room(visitor):
            unused = [
                (self._visitors[tunnel.id], tunnel)
                for tunnel in self._tunnels.values()
                if tunnel.unused_s > _FIRST_S
            ]
            unused.sort(key=lambda item: item[0].address != visitor.address)  # the oldest first
            for holder, tunnel in unused:
                if self._places.would_have_room(visitor, without=holder):
                    self._give_up(tunnel)
                    break
        return self._places.has_room(visitor)

    def add(self, tunnel: Tunnel, visitor: Visitor) -> None:
        """Keep a tunnel until it is removed or abandoned."""
        self._tunnels[tunnel.id] = tunnel
        self._visitors[tunnel.id] = visitor
        self._places.take(visitor)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep(), name="tunnel sweeper")

    def find(self, tunnel_id: str) -> Tunnel | None:
        """Return the tunnel with this id, if it is open here."""
        return self._tunnels.get(tunnel_id)

    def remove(self, tunnel: Tunnel) -> None:
        """Forget a tunnel."""
        if self._tunnels.pop(tunnel.id, None) is not None:
            self._places.free(self._visitors.pop(tunnel.id))

    async def bound_unfinished(self, tunnel: Tunnel) -> None:
        """Close tunnels while all unfinished messages together are too much.

        The largest of the address, and there of the browser, that holds the most goes first.

        Args:
            tunnel: the one whose message has just grown.
        """
        if tunnel.unfinished_bytes <= FRAGMENT_BYTES:  # as nearly all are: nobody else is looked at
            return
        most = max(self.limits.max_unfinished_bytes, tunnel.max_message_bytes)
        while sum(one.unfinished_bytes for one in self._tunnels.values()) > most:
            await self._greediest().close(1009, "too many unfinished messages")

    @property
    def has_unsent_end(self) -> bool:
        """Whether any page has not yet been sent the end of its closed tunnel."""
        return any(tunnel.is_closed and not tunnel.is_end_sent for tunnel in self._tunnels.values())

    def give_up_abandoned(self) -> None:
        """End the tunnels whose pages are gone, or know that their tunnel is closed."""
        for tunnel in list(self._tunnels.values()):
            is_read = tunnel.is_closed and not tunnel.outbox.frames
            if tunnel.is_abandoned or is_read:
                self._give_up(tunnel)

    async def stop(self) -> None:
        """Close all tunnels with 1012 (service restart), so that no poll delays the stop."""
        self.is_stopping = True
        for tunnel in list(self._tunnels.values()):
            await tunnel.close(1012)
            tunnel.putting.end()  # what its page still sends goes nowhere
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep(self) -> None:
        while self._tunnels:
            await asyncio.sleep(min(_SWEEP_S, self.limits.idle_s / 2, self.limits.first_use_s / 2))
            self.give_up_abandoned()

    def _greediest(self) -> Tunnel:
        unfinished = [one for one in self._tunnels.values() if one.unfinished_bytes]
        addresses, browsers = Counter[str](), Counter[tuple[str, str]]()
        for tunnel in unfinished:
            visitor = self._visitors[tunnel.id]
            addresses[visitor.address] += tunnel.unfinished_bytes
            browsers[visitor.address, visitor.browser] += tunnel.unfinished_bytes

        def size(tunnel: Tunnel) -> tuple[int, int, int]:
            visitor = self._visitors[tunnel.id]
            browser = browsers[visitor.address, visitor.browser]
            return addresses[visitor.address], browser, tunnel.unfinished_bytes

        return max(unfinished, key=size)

    def _give_up(self, tunnel: Tunnel) -> None:
        self.remove(tunnel)
        self._given_up.append(tunnel)
        if self._ending is None or self._ending.done():
            self._ending = asyncio.create_task(self._end_given_up(), name="tunnels' end")

    async def _end_given_up(self) -> None:
        """End a few at a time: each ends a session, and hundreds at once stall all others."""
        while self._given_up:
            some = [
                self._given_up.popleft() for _ in range(min(_ENDED_AT_ONCE, len(self._given_up)))
            ]
            await asyncio.gather(*(tunnel.end() for tunnel in some))
            await asyncio.sleep(_BETWEEN_ENDS_S)
