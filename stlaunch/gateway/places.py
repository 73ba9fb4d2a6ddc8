"""Limit how many places (sessions, uploads) one visitor may hold.

A browser id costs nothing, so each address has a limit too. Behind a proxy that does not name its
clients, all visitors share one address: it gets a higher limit, and only browser ids tell visitors
apart. If the proxy drops cookies as well, only the proxy's limit applies. A place once taken is
never taken away.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import field

from stlaunch.quick_dataclass import dataclass

_NEAR = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        "100.64.0.0/10",  # RFC 6598: proxies of hosting platforms
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A visitor who asks for a place.

    Attributes:
        browser: a digest of the browser's id; empty if it has none, as it may be any browser then.
        address: the client's address; for IPv6, its /64.
        is_shared: whether the address may be a proxy's, shared by many visitors.
    """

    browser: str
    address: str
    is_shared: bool


def client_key(address: str | None) -> str:
    """Return the key for a client's limit: its IPv4 address, or the /64 of an IPv6 customer."""
    if address is None:
        return "unix"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def may_be_proxy(address: str | None) -> bool:
    """Return whether proxies may connect from an address: it is on this machine, or near it."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return True
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _NEAR if network.version == parsed.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLimits:
    """How many places there are.

    Attributes:
        most: in total.
        per_browser: for one browser.
        per_address: for one visitor's address.
        per_proxy: for one address that may be a proxy's.
    """

    most: int
    per_browser: int
    per_address: int
    per_proxy: int


@dataclass(slots=True)
class Places:
    """Count who holds how many places."""

    limits: PlaceLimits
    _browsers: Counter[str] = field(default_factory=Counter)
    _addresses: Counter[str] = field(default_factory=Counter)

    def has_room(self, visitor: Visitor) -> bool:
        """Return whether this visitor may take one more place."""
        limits = self.limits
        most = limits.per_proxy if visitor.is_shared else limits.per_address
        return (
            (not visitor.browser or self._browsers[visitor.browser] < limits.per_browser)
            and self._addresses[visitor.address] < most
            and self._addresses.total() < limits.most
        )

    def would_have_room(self, visitor: Visitor, *, without: Visitor) -> bool:
        """Return whether this visitor may take one more place once another one has left its."""
        self.free(without)
        has_room = self.has_room(visitor)
        self.take(without)
        return has_room

    def holds_one(self, visitor: Visitor) -> bool:
        """Return whether this browser holds a place; a browser without an id never does."""
        return bool(visitor.browser) and self._browsers[visitor.browser] > 0

    def take(self, visitor: Visitor) -> None:
        """Count one more place for this visitor."""
        self._browsers[visitor.browser] += 1
        self._addresses[visitor.address] += 1

    def free(self, visitor: Visitor) -> None:
        """Count one place fewer for this visitor."""
        for counter, key in (
            (self._browsers, visitor.browser),
            (self._addresses, visitor.address),
        ):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]
