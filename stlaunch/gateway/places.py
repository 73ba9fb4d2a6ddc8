"""Limit how much of a scarce resource one visitor may hold.

A browser id costs nothing, so an address has a bound too; but behind a proxy that names no clients
all visitors have the same one, which then gets more, and only their browsers' ids tell them apart.
Where a proxy drops cookies as well, nothing does: they have no bound but the proxy's. Whoever holds
a place keeps it.
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
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who takes a place.

    Attributes:
        browser: a digest of the browser's id; empty where it has none, for then it may be any.
        address: the client's; the /64 of an IPv6 one.
        is_shared: whether it may be that of a proxy, and so of many visitors.
    """

    browser: str
    address: str
    is_shared: bool


def client_key(address: str | None) -> str:
    """Return who shares a limit: an IPv4 address, or the /64 that one IPv6 customer has."""
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
    """Whether an address is one from which proxies connect: on this machine, or near it."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return True
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _NEAR if network.version == parsed.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLimits:
    """How many there are.

    Attributes:
        most: in all.
        per_browser: for one browser.
        per_address: for one address that is a visitor's.
        per_proxy: for one that may be a proxy's.
    """

    most: int
    per_browser: int
    per_address: int
    per_proxy: int


@dataclass(slots=True)
class Places:
    """Who holds how many."""

    limits: PlaceLimits
    _browsers: Counter[str] = field(default_factory=Counter)
    _addresses: Counter[str] = field(default_factory=Counter)

    def has_room(self, visitor: Visitor) -> bool:
        """Whether one more is within the bounds."""
        limits = self.limits
        most = limits.per_proxy if visitor.is_shared else limits.per_address
        return (
            self._addresses.total() < limits.most
            and (not visitor.browser or self._browsers[visitor.browser] < limits.per_browser)
            and self._addresses[visitor.address] < most
        )

    def holds_one(self, visitor: Visitor) -> bool:
        """Whether this browser has a place; none has one without an id."""
        return bool(visitor.browser) and self._browsers[visitor.browser] > 0

    def take(self, visitor: Visitor) -> None:
        """Count one more."""
        self._browsers[visitor.browser] += 1
        self._addresses[visitor.address] += 1

    def free(self, visitor: Visitor) -> None:
        """Count one less."""
        for counter, key in (
            (self._browsers, visitor.browser),
            (self._addresses, visitor.address),
        ):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]
