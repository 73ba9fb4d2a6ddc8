"""No single client takes all places, however little is known about it."""

from __future__ import annotations

import pytest

from stlaunch.gateway.places import PlaceLimits, Places, Visitor, may_be_proxy
from stlaunch.gateway.state import session_places

LIMITS = PlaceLimits(most=20, per_browser=3, per_address=8, per_proxy=15)


def _taken(visitors: list[Visitor]) -> tuple[Places, int]:
    places, count = Places(LIMITS), 0
    for visitor in visitors:
        if places.has_room(visitor):
            places.take(visitor)
            count += 1
    return places, count


def _takes(places: Places, visitor: Visitor) -> bool:
    has_room = places.has_room(visitor)
    places.take(visitor)
    return has_room


def _visitor(browser: str, address: str, *, is_shared: bool = False) -> Visitor:
    return Visitor(browser=browser, address=address, is_shared=is_shared)


@pytest.mark.parametrize(
    ("visitors", "count"),
    [
        ([_visitor("one", "192.0.2.1")] * 30, 3),
        ([_visitor(str(number), "192.0.2.1") for number in range(30)], 8),
        ([_visitor(str(number), "127.0.0.1", is_shared=True) for number in range(30)], 15),
        ([_visitor("one", "127.0.0.1", is_shared=True)] * 30, 3),
        ([_visitor("", "192.0.2.1")] * 30, 8),
        ([_visitor("", "127.0.0.1", is_shared=True)] * 30, 15),
    ],
    ids=[
        "one browser",
        "new cookies from one address",
        "new cookies through a proxy",
        "one browser through a proxy",
        "no cookies from one address",
        "no cookies through a proxy",
    ],
)
def test_one_visitor_leaves_places_to_others(visitors: list[Visitor], count: int) -> None:
    """The bound of its browser, of its address, or of the proxy that it comes through."""
    places, taken = _taken(visitors)

    assert taken == count
    assert places.has_room(_visitor("other", "192.0.2.9"))


def test_one_browser_behind_a_proxy_that_names_nobody_has_its_own_share() -> None:
    """All come from 127.0.0.1. What one has taken is not everybody's share, nor is it missed."""
    greedy = _visitor("one", "127.0.0.1", is_shared=True)
    places, _ = _taken([greedy] * 30)
    others = [_visitor(str(number), "127.0.0.1", is_shared=True) for number in range(12)]

    assert not places.has_room(greedy)
    assert all(_takes(places, other) for other in others)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("10.0.0.1", True, id="private"),
        pytest.param("100.64.0.3", True, id="Railway's edge"),
        pytest.param("::ffff:100.100.0.52", True, id="Envoy of Azure Container Apps, mapped"),
        pytest.param("100.63.255.255", False, id="before RFC 6598"),
        pytest.param("100.128.0.0", False, id="after RFC 6598"),
        pytest.param("192.0.2.1", False, id="public"),
    ],
)
def test_addresses_of_proxies_get_the_higher_limit(address: str, expected: bool) -> None:
    assert may_be_proxy(address) is expected


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 100])
@pytest.mark.parametrize(
    "greedy",
    [
        _visitor("one", "127.0.0.1", is_shared=True),
        _visitor("one", "192.0.2.1"),
        _visitor("", "192.0.2.1"),
    ],
    ids=["browser through a proxy", "browser", "program"],
)
def test_one_client_leaves_a_session_to_others(limit: int, greedy: Visitor) -> None:
    """With `--max-sessions 1` there is no place to leave free."""
    places, taken = session_places(limit), 0
    while places.has_room(greedy):
        places.take(greedy)
        taken += 1
    other = _visitor("two", "127.0.0.1" if greedy.is_shared else "192.0.2.9", is_shared=True)

    assert taken == {1: 1, 2: 1, 3: 2, 8: 7, 100: 88}[limit]
    assert places.has_room(other) == (limit > 1)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_all_sessions_can_be_used(limit: int) -> None:
    """By many visitors, also behind a proxy that names none of them and drops their cookies."""
    for visitors in (
        [_visitor(str(number), f"192.0.2.{number}") for number in range(limit)],
        [_visitor(str(number), "127.0.0.1", is_shared=True) for number in range(limit)],
        [_visitor("", "127.0.0.1", is_shared=True)] * limit,
    ):
        places = session_places(limit)
        for visitor in visitors:
            assert places.has_room(visitor)
            places.take(visitor)

        assert not places.has_room(visitors[0])


def test_all_together_are_bounded_and_places_come_back() -> None:
    """Nothing is left of those that went."""
    visitors = [_visitor(str(number), f"192.0.2.{number}") for number in range(30)]
    places, taken = _taken(visitors)
    was_full = not places.has_room(visitors[-1])
    for visitor in visitors[:taken]:
        places.free(visitor)

    assert (taken, was_full) == (20, True)
    assert places == Places(LIMITS)
