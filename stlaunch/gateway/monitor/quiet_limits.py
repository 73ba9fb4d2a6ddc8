"""Learn how long each way to the app lets a quiet socket live, and ping more often than that.

A socket counts that died and whose page came back under its session: a closed tab says nothing.
Where three of one browser on one way died after the same silence, something on the way cuts them.

Who closes their own sockets on purpose is pinged more often, at the price of three connections,
and nobody else is: a browser's sockets decide about that browser's. Only what browsers at three
different addresses found, independently, holds for all on that way. Even then a ping each second is
all that they bring about: 6 bytes, sent in step with those of all other sockets.

Pure, with the clock from outside.
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
    """Whose socket it is, and how it came.

    Attributes:
        browser: a digest of the browser's ids (`owner_of`).
        address: the client's (`client_key`).
        route: the way to the app (`ObservedRoute`).
    """

    browser: str
    address: str
    route: Hashable


@dataclass(slots=True)
class _Seen:
    """What is known of one browser on one way."""

    ended: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=8))
    cut: deque[float] = field(default_factory=lambda: deque(maxlen=_ALIKE))
    ping_s: int | None = None


@dataclass(slots=True)
class QuietLimits:
    """After which silence sockets die though their page still wants them."""

    _seen: OrderedDict[tuple[Hashable, str], _Seen] = field(default_factory=OrderedDict)
    _by_route: OrderedDict[Hashable, dict[str, int]] = field(default_factory=OrderedDict)

    def ended(self, visitor: Visitor, quiet_s: float, now: float) -> None:
        """Note that a socket ended after a silence."""
        if quiet_s < _MIN_QUIET_S:
            return
        key = (visitor.route, visitor.browser)
        self._seen.setdefault(key, _Seen()).ended.append((quiet_s, now))
        self._seen.move_to_end(key)
        if len(self._seen) > _MAX_VISITORS:
            self._seen.popitem(last=False)

    def resumed(self, visitor: Visitor, now: float) -> tuple[float, ...]:
        """Note that a page came back; the silences in s, where its sockets die after the same."""
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
        """Return how often to ping a socket of this visitor; None where nothing was learned."""
        seen = self._seen.get((visitor.route, visitor.browser))
        learned = sorted(self._by_route.get(visitor.route, {}).values())
        found = [seen.ping_s if seen else None, learned[_ADDRESSES - 1] if learned[2:] else None]
        return min((each for each in found if each is not None), default=None)


def ping_below(limit_s: float) -> int:
    """Return the whole seconds below half of a limit; 1 at least.

    >>> [ping_below(limit) for limit in (1.9, 4.0, 5.2, 30.0, 61.0)]
    [1, 1, 2, 14, 30]
    """
    return max(1, (int(limit_s) - 1) // 2)


def idle_cut(
    quiet_s: tuple[float, ...], interval_s: int, ping_s: int | None, *, is_set: bool, fix: str
) -> Finding:
    """Describe a way to the app that cuts quiet sockets.

    Args:
        quiet_s: after which silence the last ones died, the shortest first.
        interval_s: how often the server pings unless it learned better.
        ping_s: how often it pings from now on; None where that does not change.
        is_set: whether the user set the interval: then it stays.
        fix: the lines for the proxy, where it is known.
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
    """Describe a way that cuts the requests of the HTTP transport while they are quiet."""
    return Finding(
        code="STL604",
        title=f"Quiet requests of the HTTP transport are cut after about {limit_s} s",
        fix=f"stlaunch now uses each of them every {ping_s} s. To raise the limit: {fix}",
    )
