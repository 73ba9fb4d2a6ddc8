"""How long each way to the app may be silent, and which clients are pinged more often."""

from __future__ import annotations

import pytest

from stlaunch.gateway.monitor.observed_routes import ObservedRoute
from stlaunch.gateway.monitor.quiet_limits import QuietLimits, Visitor, idle_cut, ping_below


def _route(host: str = "app.example.com") -> ObservedRoute:
    return ObservedRoute(
        host=host,
        scheme="https",
        base_path="/app",
        mode=None,
        proxies=("envoy",),
        hops=1,
        is_peer_trusted=True,
    )


def _visitor(browser: str = "a", address: str = "203.0.113.1", host: str = "h") -> Visitor:
    return Visitor(browser=browser, address=address, route=_route(host))


def _lose(limits: QuietLimits, who: Visitor, *silences: float) -> list[tuple[float, ...]]:
    found, now = [], 0.0
    for silence in silences:
        now += silence
        limits.ended(who, silence, now)
        found.append(limits.resumed(who, now + 1))
    return found


def test_a_limit_is_measured_from_sockets_that_come_back() -> None:
    found = _lose(QuietLimits(), _visitor(), 61.2, 60.4, 60.1)
    finding = idle_cut(found[-1], 300, None, is_set=False, fix="")

    assert found == [(), (), (60.1, 60.4, 61.2)]
    assert (finding.code, "about 60 s" in finding.title) == ("STL604", True)
    assert "--server.websocketPingInterval 29" in finding.fix


@pytest.mark.parametrize(
    "silences", [[60.0, 600.0, 61.0], [0.4, 0.4, 0.4], [60.0, 60.1]], ids=["odd", "short", "few"]
)
def test_other_deaths_prove_nothing(silences: list[float]) -> None:
    limits = QuietLimits()

    assert not any(_lose(limits, _visitor(), *silences))
    assert limits.ping_s(_visitor()) is None


def test_a_closed_tab_does_not_count() -> None:
    """It comes back under no session, so nobody says that it was lost; few are remembered."""
    limits = QuietLimits()
    for second in range(3000):
        limits.ended(_visitor(f"browser {second}"), 60.0, float(second))

    assert limits.resumed(_visitor("browser 1"), 3000.0) == ()
    assert len(limits._seen) <= 1024


@pytest.mark.parametrize(
    ("limit_s", "ping_s"), [(1.6, 1), (3.0, 1), (4.0, 1), (5.1, 2), (10.0, 4), (30.2, 14)]
)
def test_pings_come_at_less_than_half_of_the_limit(limit_s: float, ping_s: int) -> None:
    limits = QuietLimits()
    _lose(limits, _visitor(), limit_s, limit_s, limit_s)

    assert limits.ping_s(_visitor()) == ping_s == ping_below(limit_s)
    assert ping_s == 1 or ping_s < limit_s / 2


def test_one_browser_decides_for_itself_alone() -> None:
    """Closing one's own sockets gets only oneself more pings; no other browser, no other way."""
    limits = QuietLimits()
    for _ in range(50):
        _lose(limits, _visitor("hostile"), 2.0, 2.0, 2.0)

    assert limits.ping_s(_visitor("hostile")) == 1
    assert limits.ping_s(_visitor("other")) is None
    assert limits.ping_s(_visitor("hostile", host="elsewhere")) is None


def test_many_browsers_of_two_addresses_are_no_proof() -> None:
    """Ids cost nothing: each request for a page gets a new one."""
    limits = QuietLimits()
    for number in range(40):
        who = _visitor(f"browser {number}", f"203.0.113.{number % 2}")
        _lose(limits, who, 2.0, 2.0, 2.0)

    assert limits.ping_s(_visitor("new", "198.51.100.1")) is None


def test_what_three_addresses_found_holds_for_all_on_that_way() -> None:
    """The longest interval of the three shortest: two cannot push a true one down."""
    limits = QuietLimits()
    for number, silence in enumerate((2.0, 2.0, 30.0)):
        who = _visitor(f"browser {number}", f"203.0.113.{number}")
        _lose(limits, who, silence, silence, silence)

    assert limits.ping_s(_visitor("new", "198.51.100.1")) == 14
    assert limits.ping_s(_visitor("new", "198.51.100.1", host="elsewhere")) is None


def test_the_tables_are_bounded() -> None:
    limits = QuietLimits()
    for number in range(300):
        address = f"2001:db8:{number:x}::/64"
        _lose(limits, _visitor(f"b{number}", address, f"host{number}"), 2.0, 2.0, 2.0)
        _lose(limits, _visitor(f"c{number}", address, "one"), 2.0, 2.0, 2.0)

    assert len(limits._by_route) <= 64
    assert max(map(len, limits._by_route.values())) <= 16


def test_a_finding_says_what_was_done() -> None:
    cut = (4.0, 4.0, 4.1)

    assert "stlaunch now pings every 1 s" in idle_cut(cut, 30, 1, is_set=False, fix="x").fix
    set_by_user = idle_cut(cut, 30, None, is_set=True, fix="x").fix
    assert "that you set stays" in set_by_user
    assert "Or raise the limit: x" in set_by_user
