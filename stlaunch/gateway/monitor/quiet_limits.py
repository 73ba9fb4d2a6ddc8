"""Learn how long each route to the app keeps a quiet socket open, and ping more often than that.

A dead socket counts only if its page came back with the same session: a closed tab proves nothing.
If three sockets of one browser on one route die after the same silence, something there cuts them.

A browser's sockets affect that browser alone: closing three of one's own on purpose gains more
frequent pings and changes nothing for others. A limit applies to everyone on a route only after
browsers at three different addresses hit it independently. Even then the worst case is a ping each
second: 6 bytes, sent in step with those of all other sockets.

Pure; the clock is passed in.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import field

from stlaunch.diagnostics.finding import Finding
from stlaunch.quick_dataclass import dataclass

_ALIKE = 3
_ADDRESSES = 3
_COMES_BACK_WITHIN_S = 60.0
_MIN_QUIET_S = 1.5
_MAX_VISITORS = 1024
_MAX_ROUTES = 64
_MAX_ADDRESSES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The owner of a socket, and its route to the app.

    Attributes:
        browser: a digest of the browser's ids (`owner_of`).
        address: the client's (`client_key`).
        route: the route to the app (`ObservedRoute`).
    """

    browser: str
    address: str
    route: Hashable


@dataclass(slots=True)
class _Seen:
    """What is known about one browser on one route."""

    ended: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=8))
    cut: deque[float] = field(default_factory=lambda: deque(maxlen=_ALIKE))
    ping_s: int | None = None


@dataclass(slots=True)
class QuietLimits:
    """How long sockets can stay quiet before something cuts them, though their page needs them."""

    _seen: OrderedDict[tuple[Hashable, str], _Seen] = field(default_factory=OrderedDict)
    _by_route: OrderedDict[Hashable, dict[str, int]] = field(default_factory=OrderedDict)

    def ended(self, visitor: Visitor, quiet_s: float, now: float) -> None:
        """Record that a socket ended after a silence."""
        if quiet_s < _MIN_QUIET_S:
            return
        key = (visitor.route, visitor.browser)
        self._seen.setdefault(key, _Seen()).ended.append((quiet_s, now))
        self._seen.move_to_end(key)
        if len(self._seen) > _MAX_VISITORS:
            self._seen.popitem(last=False)

    def resumed(self, visitor: Visitor, now: float) -> tuple[float, ...]:
        """Record that a page came back; return its silences in s if its sockets die alike."""
        seen = self._seen.get((visitor.route, visitor.browser))
        if seen is None or not seen.ended:
            return ()
        quiet_s, at = seen.ended.popleft()
        if now - at > _COMES_BACK_WITHIN_S:
            return ()
        seen.cut.append(quiet_s)
        cut = tuple(sorted(seen.cut))
        if len(cut) < _ALIKE or cut[-1] - cut[0] > max(1.0, 0.05 * cut[0]):
            return ()
        seen.ping_s = ping_below(cut[0])
        found = self._by_route.setdefault(visitor.route, {})
        self._by_route.move_to_end(visitor.route)
        if visitor.address in found or len(found) < _MAX_ADDRESSES:
            found[visitor.address] = seen.ping_s
        if len(self._by_route) > _MAX_ROUTES:
            self._by_route.popitem(last=False)
        return cut

    def ping_s(self, visitor: Visitor) -> int | None:
        """Return how often to ping this visitor's sockets; None if nothing was learned."""
        seen = self._seen.get((visitor.route, visitor.browser))
        learned = sorted(self._by_route.get(visitor.route, {}).values())
        found = [seen.ping_s if seen else None, learned[_ADDRESSES - 1] if learned[2:] else None]
        return min((each for each in found if each is not None), default=None)


def ping_below(limit_s: float) -> int:
    """Return a ping interval below half of a limit, in whole seconds; at least 1.

    >>> [ping_below(limit) for limit in (1.9, 4.0, 5.2, 30.0, 61.0)]
    [1, 1, 2, 14, 30]
    """
    return max(1, (int(limit_s) - 1) // 2)


def idle_cut(
    quiet_s: tuple[float, ...], interval_s: int, ping_s: int | None, *, is_set: bool, fix: str
) -> Finding:
    """Describe a route to the app that cuts quiet sockets.

    Args:
        quiet_s: how long the last ones were quiet before they died, the shortest first.
        interval_s: how often the server pings by default.
        ping_s: how often it pings from now on; None if that does not change.
        is_set: whether the user set the interval, which then stays.
        fix: the lines for the proxy, if it is known.
    """
    shown = ", ".join(f"{age:.1f}" for age in quiet_s)
    option = f"--server.websocketPingInterval {ping_below(quiet_s[0])}"
    if ping_s is not None:
        hint = f"stlaunch now pings every {ping_s} s, from the next connection on. Always: {option}"
    elif is_set:
        hint = f"The ping interval that you set stays. Ping more often: {option}"
    else:
        hint = f"Ping more often: {option}"
    return Finding(
        code="STL604",
        title=(
            f"Connections die at an age of about {round(quiet_s[0])} s without traffic "
            f"(last: {shown} s; the server pings every {interval_s} s)"
        ),
        fix=f"{hint}\nOr raise the limit: {fix}" if fix else hint,
    )


def quiet_request_cut(limit_s: int, ping_s: int, fix: str) -> Finding:
    """Describe a route that cuts quiet requests of the HTTP transport."""
    return Finding(
        code="STL604",
        title=f"Quiet requests of the HTTP transport are cut after about {limit_s} s",
        fix=f"stlaunch now uses each of them every {ping_s} s. To raise the limit: {fix}",
    )
