"""Detect problems from how requests arrive. Pure; the clock is passed in.

Each detector watches one thing and returns a `Finding` once it is sure. It answers no requests.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import field
from shlex import quote

from stlaunch.diagnostics.finding import Finding
from stlaunch.gateway.monitor.quiet_limits import QuietLimits
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin

_PAGES = 3
_PAGES_S = 8.0
_PAUSE_S = 600.0  # a later page belongs to another visit
_FOREIGN = 3


@dataclass(slots=True)
class PageLoads:
    """Pages that were served, and whether their script and their connection came."""

    pages: int = 0
    scripts: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    is_said: bool = False

    def served(self, now: float, base: BasePath | None) -> Finding | None:
        """Count a page; return a finding if several were served and no connection arrived.

        After a pause the count restarts: rare visitors that want the page alone prove nothing.
        """
        if self.pages == 0 or now - self.last_at > _PAUSE_S:
            self.pages, self.first_at = 0, now
        self.last_at = now
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
        """Note a connection of any kind: all is well so far.

        A script that was requested once is in browsers' caches, and counts from then on.
        """
        self.pages = 0
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
class Replicas:
    """Script requests from pages of another process, mixed with those from our own pages."""

    instance_id: str
    _last: deque[bool] = field(default_factory=lambda: deque(maxlen=12))

    def script_asked(self, instance_id: str) -> Finding | None:
        """Count a page script by the process that served its page; the caller adds the fix."""
        if not instance_id:
            return None
        self._last.append(instance_id != self.instance_id)
        # After a restart there is one run of foreign ones and then none; replicas alternate.
        kinds = list(self._last)
        foreign = sum(kinds)
        changes = sum(a != b for a, b in itertools.pairwise(kinds))
        is_mixed = foreign < len(kinds) and changes > 1
        if foreign < _FOREIGN or not (is_mixed or foreign == len(kinds) == self._last.maxlen):
            return None
        return Finding(
            code="STL702",
            title="Several replicas answer under this name: one served a page, another its script",
            fix="",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """What the monitor remembers about the traffic, shared by all chains."""

    replicas: Replicas
    pages: PageLoads = field(default_factory=PageLoads)
    quiet_limits: QuietLimits = field(default_factory=QuietLimits)


def scheme_mismatch(page: Origin | None, sent: str | None, fix: str) -> Finding | None:
    """Describe a page on https whose app sees http, or no scheme."""
    if page is None or page.scheme != "https" or sent == "https":
        return None
    return Finding(
        code="STL402",
        title=(
            "The page is on https, but the app sees "
            f"{'http' if sent else 'nothing (X-Forwarded-Proto is missing)'}"
        ),
        fix=f"{fix}\nOr set the address: --public-url https://..."
        if fix
        else "Make the proxy send X-Forwarded-Proto, or set the address: --public-url https://...",
    )


def prefix_mismatch(sent: BasePath | None, known: Sequence[BasePath]) -> Finding | None:
    """Describe a trusted proxy that sends a prefix other than the given ones."""
    if sent is None or not sent.value or not known or sent in known:
        return None
    given = ", ".join(path.with_slash for path in known)
    return Finding(
        code="STL407",
        title=f"The proxy sends the prefix {sent.with_slash}, but {given} is configured",
        fix=f"If the browser's address shows {sent.with_slash}: --behind-proxy {quote(str(sent))}",
        names_others=True,
    )
