"""The peers whose forwarding headers are trusted; it does not read the headers."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

Network = IPv4Network | IPv6Network

_NAMED = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    # RFC 1918, unique local, and link-local; not RFC 6598, where other customers may be peers. A
    # platform whose proxies connect from there names that network itself (`Platform.peers`).
    "private": (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    ),
    "unix": (),
}
_MAPPED = IPv6Network("::ffff:0:0/96")
_MAX_ADDRESS = 128
_WORDS = "an address, a network such as 10.0.0.0/8, loopback, private, unix or none"


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """A set of peers; ask it with `peer in trusted`. The empty one trusts nobody."""

    networks: tuple[Network, ...] = ()
    """Host bits are zero; networks of IPv4-mapped addresses are stored as IPv4."""
    trusts_unix: bool = False
    """Whether a peer without an address, at a Unix socket, is trusted."""
    names: tuple[str, ...] = ()
    """The entries as the banner shows them."""
    is_default_container: bool = False
    """Whether private peers are trusted only because this is a container, not as asked for."""

    @classmethod
    def parse(cls, texts: Sequence[str]) -> TrustedProxies:
        """Read the values of `--trusted-proxies`, each of which may be a comma-separated list.

        >>> trusted = TrustedProxies.parse(["10.1.0.0/16, unix"])
        >>> "10.1.2.3" in trusted, None in trusted, "10.2.0.1" in trusted
        (True, True, False)

        Raises:
            UsageError: for anything but an address, a network, `loopback`, `private`, `unix` and
                `none`; for a network with host bits set; for `none` next to something else.
        """
        entries = [entry.strip() for text in texts for entry in text.split(",")]
        words = list(dict.fromkeys(entry.lower() for entry in entries))
        if words in ([], ["none"]):
            return cls(names=("none",))
        if "none" in words:
            raise UsageError(
                "The trusted proxies list 'none' together with other entries.",
                hint="Give either none, or the proxies to trust.",
            )
        return cls._of(entries)

    @classmethod
    def default(cls, in_container: bool, others: Sequence[str] = ()) -> TrustedProxies:
        """Trust this machine; in a container also its private neighbours, where its proxy is.

        Args:
            in_container: whether private peers are trusted.
            others: further entries, as the platform names its proxies.
        """
        found = cls._of(["loopback", "unix", *(["private"] if in_container else []), *others])
        return cls(found.networks, found.trusts_unix, found.names, in_container)

    @classmethod
    def _of(cls, entries: Sequence[str]) -> TrustedProxies:
        networks: dict[Network, None] = {}
        names: dict[str, None] = {}
        for entry in entries:
            word = entry.lower()
            if word in _NAMED:
                found = [ip_network(text) for text in _NAMED[word]]
                names[word] = None
            else:
                found = [_network(entry)]
                names[_shown(found[0])] = None
            networks |= dict.fromkeys(found)
        return cls(tuple(networks), "unix" in names, tuple(names))

    def __contains__(self, peer: object) -> bool:
        """Return whether the peer is trusted; None is the peer at a Unix socket.

        An IPv4-mapped IPv6 address counts as the IPv4 one, a zone (`%eth0`) does not count, and
        what is not an address is not trusted.
        """
        if peer is None:
            return self.trusts_unix
        address = read_address(peer) if isinstance(peer, str) else None
        return address is not None and any(address in network for network in self.networks)

    def __str__(self) -> str:
        return ", ".join(self.names) or "none"


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read a peer's address, without zone and with IPv4-mapped ones as IPv4; None for junk."""
    if len(text) > _MAX_ADDRESS:
        return None
    try:
        address = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network(entry: str) -> Network:
    try:
        network = ip_network(entry)
    except ValueError as exc:
        raise UsageError(
            f"The trusted proxy {entry[:_MAX_ADDRESS]!r} is not an address or a network.",
            hint=_hint(entry),
        ) from exc
    if isinstance(network, IPv6Network) and network.network_address.scope_id is not None:
        raise UsageError(
            f"The trusted proxy {entry!r} has a zone.",
            hint=f"Write {entry.partition('%')[0]}, which is trusted on every interface.",
        )
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Peers are compared as IPv4, so the network has to be as well.
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _hint(entry: str) -> str:
    if entry == "*":
        return "Give the proxy's address: with *, anyone who can connect could pose as any client."
    if not entry:
        return "Write none to trust nobody."
    try:
        return f"Its host bits are set; the network is {ip_network(entry, strict=False)}."
    except ValueError:
        pass
    without_port = entry.rpartition(":")[0] if entry.count(":") == 1 else entry.partition("]")[0]
    if read_address(without_port.strip("[]")) is not None:
        return f"Write only the address: {without_port.strip('[]')}"
    return f"Write {_WORDS}; names are not looked up."


def _shown(network: Network) -> str:
    is_single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if is_single else str(network)
