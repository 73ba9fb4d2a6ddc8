"""Detect problems from how requests arrive. Pure; the clock is passed in.

Each detector watches one thing and returns a `Finding` once it is sure. It serves nothing.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from shlex import quote

from stlaunch.diagnostics.finding import Finding
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin

_PAGES = 3
_PAGES_S = 8.0
_LOST = 3
_RESUMED_WITHIN_S = 60.0
_SHORTEST_LIFE_S = 1.5
_MAX_CLIENTS = 256
_FOREIGN = 3


@dataclass(slots=True)
class PageLoads:
    """Pages that were served, and whether their script and their connection came."""

    pages: int = 0
    scripts: int = 0
    first_at: float = 0.0
    is_said: bool = False

    def served(self, now: float, base: BasePath | None) -> Finding | None:
        """Count a page; a finding where several were served and no connection arrived."""
        if self.pages == 0:
            self.first_at = now
        finding = None
        if not self.is_said and self.pages >= _PAGES and now - self.first_at >= _PAGES_S:
            self.is_said = True
            finding = self._finding(base or BasePath())
        self.pages += 1
        return finding

    def script_asked(self) -> None:
        """Count a page's script."""
        self.scripts += 1

    def connected(self) -> None:
        """A connection of whatever kind arrived: all is well so far."""
        self.pages = self.scripts = 0
        self.is_said = False

    def _finding(self, base: BasePath) -> Finding:
        if self.scripts:
            return Finding(
                code="STL314",
                title=f"The page was served {self.pages} times, but no connection followed",
                fix=(
                    "Something refuses it before it arrives. Open "
                    f"{base.with_slash}_stlaunch/ in the browser: it says what."
                ),
            )
        return Finding(
            code="STL208",
            title=(
                f"The page was served {self.pages} times, and its script "
                f"{base.with_slash}_stlaunch/page.js was never requested"
            ),
            fix=(
                f"If the browser shows another path than {base.with_slash}, start stlaunch with "
                "that one: --behind-proxy PATH. Else let the proxy send everything below it here."
            ),
        )


@dataclass(slots=True)
class Lifetimes:
    """How old sockets are when they die though their page still wants them.

    A page that lost its socket opens another one and names its session: only those deaths count,
    because a closed tab says nothing about the path.
    """

    _deaths: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lost: deque[float] = field(default_factory=lambda: deque(maxlen=8))

    def ended(self, client: str, age_s: float, now: float) -> None:
        """Note that a client's socket ended."""
        self._deaths[client] = (age_s, now)
        self._deaths.move_to_end(client)
        if len(self._deaths) > _MAX_CLIENTS:
            self._deaths.popitem(last=False)

    def resumed(self, client: str, now: float) -> tuple[float, ...]:
        """Note that a client came back; the ages, where its sockets keep dying at the same one."""
        age_s, at = self._deaths.pop(client, (0.0, 0.0))
        if age_s < _SHORTEST_LIFE_S or now - at > _RESUMED_WITHIN_S:
            return ()
        self._lost.append(age_s)
        last = sorted(list(self._lost)[-_LOST:])
        is_regular = len(last) == _LOST and last[-1] - last[0] <= max(1.0, 0.05 * last[0])
        return tuple(last) if is_regular else ()


def idle_cut(ages_s: Sequence[float], ping_interval_s: int, fix: str) -> Finding:
    """Describe a path that cuts sockets at a regular age.

    Args:
        ages_s: the last ages, the shortest first.
        ping_interval_s: how often the server uses a quiet socket.
        fix: the lines for the proxy, where it is known.
    """
    limit_s = round(ages_s[0])
    shown = ", ".join(f"{age:.1f}" for age in ages_s)
    ping_s = max(1, limit_s // 2)
    own = f"--server.websocketPingInterval {ping_s}"
    return Finding(
        code="STL604",
        title=(
            f"Connections die at an age of about {limit_s} s (last: {shown} s; the server pings "
            f"every {ping_interval_s} s)"
        ),
        fix=f"{fix}\nOr ping more often: {own}" if fix else f"Ping more often: {own}",
    )


@dataclass(slots=True)
class Replicas:
    """Page scripts that were asked for by pages of another process, between those of our own."""

    instance_id: str
    _last: deque[bool] = field(default_factory=lambda: deque(maxlen=12))

    def script_asked(self, instance_id: str) -> Finding | None:
        """Count a page script by the process that served its page."""
        if not instance_id:
            return None
        self._last.append(instance_id != self.instance_id)
        # A restart leaves a run of foreign ones and then none; replicas alternate.
        kinds = list(self._last)
        foreign = sum(kinds)
        changes = sum(a != b for a, b in itertools.pairwise(kinds))
        is_mixed = foreign < len(kinds) and changes > 1
        if foreign < _FOREIGN or not (is_mixed or foreign == len(kinds) == self._last.maxlen):
            return None
        return Finding(
            code="STL702",
            title="Several replicas answer under this name: one served a page, another its script",
            fix="Make the load balancer keep each browser on one replica (session affinity), or "
            "run one replica.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """What the monitor remembers of the traffic, for all its chains."""

    replicas: Replicas
    pages: PageLoads = field(default_factory=PageLoads)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)


def scheme_mismatch(page: Origin | None, told: str | None, fix: str) -> Finding | None:
    """Describe a page on https whose app is told http, or nothing."""
    if page is None or page.scheme != "https" or told == "https":
        return None
    return Finding(
        code="STL402",
        title=(
            "The page is on https, but the app sees "
            f"{'http' if told else 'nothing (X-Forwarded-Proto is missing)'}"
        ),
        fix=f"{fix}\nOr set the address: --public-url https://..."
        if fix
        else "Make the proxy send X-Forwarded-Proto, or set the address: --public-url https://...",
    )


def prefix_mismatch(told: BasePath | None, known: Sequence[BasePath]) -> Finding | None:
    """Describe a trusted proxy that tells another prefix than the ones given."""
    if told is None or not told.value or not known or told in known:
        return None
    given = ", ".join(path.with_slash for path in known)
    return Finding(
        code="STL407",
        title=f"The proxy sends the prefix {told.with_slash}, but {given} is configured",
        fix=f"If the browser's address shows {told.with_slash}: --behind-proxy {quote(str(told))}",
        names_others=True,
    )
