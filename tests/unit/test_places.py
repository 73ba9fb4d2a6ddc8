"""Nobody alone takes all places, whatever is known of who asks."""

from __future__ import annotations

import pytest

from stlaunch.gateway.places import PlaceLimits, Places, Visitor

LIMITS = PlaceLimits(most=20, per_browser=3, per_address=8, per_proxy=15)


def _taken(visitors: list[Visitor]) -> tuple[Places, int]:
    places, count = Places(LIMITS), 0
    for visitor in visitors:
        if places.has_room(visitor):
            places.take(visitor)
            count += 1
    return places, count


def _visitor(browser: str, address: str, *, is_shared: bool = False) -> Visitor:
    return Visitor(browser=browser, address=address, is_shared=is_shared)


@pytest.mark.parametrize(
    ("visitors", "count"),
    [
        ([_visitor("one", "192.0.2.1")] * 30, 3),
        ([_visitor(str(number), "192.0.2.1") for number in range(30)], 8),
        ([_visitor(str(number), "127.0.0.1", is_shared=True) for number in range(30)], 15),
    ],
    ids=["one browser", "new cookies from one address", "new cookies through a proxy"],
)
def test_one_visitor_leaves_places_to_others(visitors: list[Visitor], count: int) -> None:
    """The bound of its browser, of its address, or of the proxy that it comes through."""
    places, taken = _taken(visitors)

    assert taken == count
    assert places.has_room(_visitor("other", "192.0.2.9"))


def test_all_together_are_bounded_and_places_come_back() -> None:
    """Nothing is left of those that went."""
    visitors = [_visitor(str(number), f"192.0.2.{number}") for number in range(30)]
    places, taken = _taken(visitors)
    was_full = not places.has_room(visitors[-1])
    for visitor in visitors[:taken]:
        places.free(visitor)

    assert (taken, was_full) == (20, True)
    assert places == Places(LIMITS)
