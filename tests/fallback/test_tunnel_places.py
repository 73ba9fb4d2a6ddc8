"""Whose tunnel makes room for another one, and whose message for the memory of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from starlette.types import Receive, Scope, Send

from stlaunch.gateway.places import Visitor
from stlaunch.gateway.tunnel.frames import FRAGMENT_BYTES, Flags, Frame
from stlaunch.gateway.tunnel.registry import TunnelLimits, TunnelRegistry
from stlaunch.gateway.tunnel.tunnel import Tunnel

T = TypeVar("T")
LIMITS = TunnelLimits(max_tunnels=6, max_per_client=2, max_per_address=3, max_per_proxy=3)


async def _accept(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _never_accept(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


def _visitor(browser: str, address: str) -> Visitor:
    return Visitor(browser=browser, address=address, is_shared=False)


class _Tunnels:
    """A registry, and its tunnels by the name of who opened them."""

    def __init__(self, limits: TunnelLimits) -> None:
        self.registry = TunnelRegistry(limits=limits)
        self.by_name: dict[str, Tunnel] = {}

    async def open(self, name: str, visitor: Visitor, *, age_s: float = 3.0) -> Tunnel:
        """Open a tunnel of some age that its page has not used yet."""
        tunnel = Tunnel(
            id=f"one.{name}", owner="", max_message_bytes=20 * FRAGMENT_BYTES, idle_limit_s=60
        )
        self.registry.add(tunnel, visitor)
        await tunnel.open(_accept, {})
        tunnel._seen_at -= age_s
        self.by_name[name] = tunnel
        return tunnel

    @property
    def ended(self) -> set[str]:
        """The names of those that made room, or were closed."""
        return {
            name
            for name, tunnel in self.by_name.items()
            if tunnel.is_closed or self.registry.find(tunnel.id) is None
        }


def _run(test: Callable[[_Tunnels], Awaitable[T]], limits: TunnelLimits = LIMITS) -> T:
    async def run() -> T:
        tunnels = _Tunnels(limits)
        try:
            return await asyncio.wait_for(test(tunnels), 30)
        finally:
            await tunnels.registry.stop()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("asks", "has_room", "ended"),
    [
        pytest.param(_visitor("a", "192.0.2.1"), False, set(), id="browser-that-uses-all-its-own"),
        pytest.param(_visitor("b", "192.0.2.2"), True, {"b1"}, id="browser-with-an-unused-one"),
        pytest.param(_visitor("c", "192.0.2.2"), True, {"b1"}, id="address-with-an-unused-one"),
        pytest.param(_visitor("d", "192.0.2.3"), True, set(), id="anybody-else"),
    ],
)
def test_who_is_at_its_own_limit_ends_no_tunnel_of_others(
    asks: Visitor, *, has_room: bool, ended: set[str]
) -> None:
    """A browser with 64 tunnels ended a stranger's fresh one with each try, and got nothing."""

    async def test(tunnels: _Tunnels) -> tuple[bool, set[str]]:
        for name in ("a1", "a2"):
            (await tunnels.open(name, _visitor("a", "192.0.2.1"))).touch()
        for name in ("b1", "b2"):
            await tunnels.open(name, _visitor("b", "192.0.2.2"))
        (await tunnels.open("c1", _visitor("c", "192.0.2.2"))).touch()
        return tunnels.registry.has_room(asks), tunnels.ended

    assert _run(test) == (has_room, ended)


def test_a_browser_at_its_limit_ends_its_own_wherever_it_is() -> None:
    """Its older tunnel may have come from another address, and another browser's does not help."""

    async def test(tunnels: _Tunnels) -> tuple[bool, set[str]]:
        await tunnels.open("b1", _visitor("b", "192.0.2.2"))
        await tunnels.open("a1", _visitor("a", "192.0.2.1"))
        (await tunnels.open("a2", _visitor("a", "192.0.2.2"))).touch()
        return tunnels.registry.has_room(_visitor("a", "192.0.2.2")), tunnels.ended

    assert _run(test) == (True, {"a1"})


def test_anybodys_unused_tunnel_makes_room_once_all_places_are_taken() -> None:
    """First the same address's; one that is used never does."""

    async def test(tunnels: _Tunnels) -> list[set[str]]:
        for number in range(6):
            visitor = _visitor(f"b{number}", f"192.0.2.{number // 3}")
            await tunnels.open(f"t{number}", visitor)
        tunnels.by_name["t0"].touch()
        found = []
        for address in ("192.0.2.1", "192.0.2.9"):
            assert tunnels.registry.has_room(_visitor("new", address))
            found.append(tunnels.ended)
            await tunnels.open(f"of {address}", _visitor("new", address), age_s=0)
        return found

    assert _run(test) == [{"t3"}, {"t3", "t1"}]


def test_a_tunnel_that_waits_for_the_app_makes_no_room() -> None:
    """Its page cannot use it before, and an opening may wait for its turn as long as that."""

    async def test(tunnels: _Tunnels) -> tuple[bool, bool]:
        visitor = _visitor("a", "192.0.2.1")
        waiting = Tunnel(id="one.w", owner="", max_message_bytes=9, idle_limit_s=60)
        tunnels.registry.add(waiting, visitor)
        opening = asyncio.create_task(waiting.open(_never_accept, {}))
        await asyncio.sleep(0)
        waiting._seen_at -= 3
        await tunnels.open("used", visitor)
        tunnels.by_name["used"].touch()
        has_room = tunnels.registry.has_room(visitor)
        is_kept = tunnels.registry.find("one.w") is waiting
        opening.cancel()
        assert waiting._task is not None
        waiting._task.cancel()
        return has_room, is_kept

    assert _run(test) == (False, True)


@pytest.mark.parametrize("is_same_address", [False, True], ids=["address", "browser"])
def test_who_holds_the_most_in_unfinished_messages_loses_one(*, is_same_address: bool) -> None:
    """Eight medium messages of one visitor closed the single larger one of another."""

    async def test(tunnels: _Tunnels) -> tuple[set[str], int]:
        sizes = {"other": 12, **dict.fromkeys(map("greedy{}".format, range(8)), 10)}
        for name, size in sizes.items():
            browser = name[:5]
            address = "192.0.2.1" if is_same_address or name == "other" else "192.0.2.2"
            tunnel = await tunnels.open(name, _visitor(browser, address))
            part = bytes(FRAGMENT_BYTES)
            await tunnel.deliver(Frame(number, Flags.MORE, part) for number in range(1, size + 1))
            await tunnels.registry.bound_unfinished(tunnel)
        left = sum(tunnel.unfinished_bytes for tunnel in tunnels.by_name.values())
        return tunnels.ended, left

    limits = TunnelLimits(max_unfinished_bytes=40 * FRAGMENT_BYTES)
    ended, left = _run(test, limits)

    assert "other" not in ended
    assert left <= limits.max_unfinished_bytes


def test_one_that_holds_nothing_is_not_closed_for_others() -> None:
    """It would help nobody, and the search for room would never end."""

    async def test(tunnels: _Tunnels) -> set[str]:
        sizes = {
            "empty": ("c", 1, 0),
            "most": ("d", 1, 10),
            "less": ("e", 1, 6),
            "far": ("c", 2, 15),
        }
        for name, (browser, host, size) in sizes.items():
            tunnel = await tunnels.open(name, _visitor(browser, f"192.0.2.{host}"))
            part = bytes(FRAGMENT_BYTES)
            await tunnel.deliver(Frame(number, Flags.MORE, part) for number in range(1, size + 1))
        await tunnels.registry.bound_unfinished(tunnel)
        return tunnels.ended

    assert _run(test, TunnelLimits(max_unfinished_bytes=25 * FRAGMENT_BYTES)) == {"most"}
