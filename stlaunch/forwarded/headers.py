"""The forwarding headers of one request, bounded, and whether each one was used.

It must not know what the values mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from stlaunch.forwarded.trusted_proxies import read_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORWARDED = "Forwarded"
FOR = "X-Forwarded-For"
REAL_IP = "X-Real-IP"
PROTO = "X-Forwarded-Proto"
SCHEMES = ("X-Forwarded-Scheme", "X-Scheme")
"""Headers that name the scheme, for want of X-Forwarded-Proto."""
SWITCHES = ("X-Forwarded-Ssl", "Front-End-Https")
"""Headers whose `on` means https."""
HOST = "X-Forwarded-Host"
PORT = "X-Forwarded-Port"
PREFIX = "X-Forwarded-Prefix"
PREFIXES = (
    PREFIX,
    "X-Script-Name",
    "X-Ingress-Path",
    "X-ProxyContextPath",
    "X-Forwarded-Context",
    "X-RStudio-Root-Path",
    "RStudio-Connect-App-Base-URL",
)
"""Headers that name the path in front of the app, the usual one first; the last one as a URL."""
ORIGINALS = (
    "X-Original-URI",
    "X-Envoy-Original-Path",
    "X-Replaced-Path",
    "X-Forwarded-Uri",
    "X-Original-URL",
)
"""Headers that name the whole path as it was before a proxy took something off its front."""

_NAMES = {
    name.lower().encode(): name
    for name in (
        *(FORWARDED, FOR, REAL_IP, PROTO, HOST, PORT),
        *(*SCHEMES, *SWITCHES, *PREFIXES, *ORIGINALS),
    )
}
FORWARDING_HEADERS = frozenset(_NAMES)
"""The lower-case names of all headers that are read here."""

HOP_HEADERS = FORWARDING_HEADERS | frozenset(
    name.encode()
    for name in (
        *("via", "cdn-loop", "x-request-id", "x-correlation-id", "traceparent"),
        *("x-forwarded-server", "x-forwarded-by", "x-forwarded-proxy", "x-forwarded-client-cert"),
        *("x-forwarded", "forwarded-for", "x-forwarded-for-original", "x-original-forwarded-for"),
        *("x-original-host", "x-host", "x-url-scheme", "x-forwarded-protocol", "x-forwarded-path"),
        *("x-client-ip", "client-ip", "true-client-ip", "x-true-client-ip", "x-cluster-client-ip"),
        *(
            "x-remote-ip",
            "x-remote-addr",
            "x-originating-ip",
            "x-proxyuser-ip",
            "wl-proxy-client-ip",
        ),
        *(
            "proxy-client-ip",
            "fastly-client-ip",
            "fastly-ff",
            "fly-client-ip",
            "fly-forwarded-proto",
        ),
        *("cf-connecting-ip", "cf-connecting-ipv6", "cf-pseudo-ipv4", "cf-ray", "cf-visitor"),
        *(
            "cf-ipcountry",
            "cf-worker",
            "akamai-origin-hop",
            "x-akamai-edgescape",
            "x-azure-clientip",
        ),
        *("x-azure-socketip", "x-azure-ref", "x-arr-log-id", "x-arr-ssl", "x-appengine-user-ip"),
        *("x-amzn-trace-id", "x-amz-cf-id", "cloudfront-viewer-address", "x-cloud-trace-context"),
        *("x-envoy-external-address", "x-envoy-internal", "x-envoy-expected-rq-timeout-ms"),
        *("x-vercel-forwarded-for", "x-nf-client-connection-ip", "x-varnish", "x-haproxy-id"),
        *("do-connecting-ip", "tailscale-user-login", "x-ms-forwarded-client-ip"),
    )
)
"""Lower-case names that show that a proxy forwarded the request; none of them is trusted for
being listed here."""

_MAX = 2048
_MAX_ENTRIES = 64

T = TypeVar("T")


def is_handed_on(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a header says that a proxy forwarded the request, however it is spelled.

    CDNs have names of their own for the client's address: any other header that holds an address
    counts too.
    """
    return any(
        name.lower().replace(b"_", b"-") in HOP_HEADERS
        or (name.lower() != b"host" and _is_address(value))
        for name, value in headers
    )


def _is_address(value: bytes) -> bool:
    """Return whether a value is an address, or a list of them, with or without ports."""
    first = value.decode("latin-1").partition(",")[0].strip()
    host, _, port = first.rpartition(":")
    texts = (first, host) if port.isdigit() else (first,)
    return any(read_address(text.strip("[]")) is not None for text in texts)


class HeaderReader:
    """Forwarding headers by name, and the verdicts on them as they are reached."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._lines: dict[str, list[str]] = {}
        self._believed: set[str] = set()
        self._reasons: dict[str, str] = {}
        self.hosts: list[str] = []
        """The Host lines; not a forwarding header, so nothing is decided about it."""
        for raw_name, raw_value in headers:
            name = _NAMES.get(raw_name.lower())
            value = raw_value.decode("latin-1").strip(" \t")
            if name and value:
                self._lines.setdefault(name, []).append(value)
            elif raw_name.lower() == b"host":
                self.hosts.append(value)

    @property
    def names(self) -> tuple[str, ...]:
        """The forwarding headers that are there, blank ones not counted."""
        return tuple(name for name in _NAMES.values() if name in self._lines)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a header; of an oversized one only the end, which proxies wrote.

        Proxies append, so what is cut off is what came from farthest away. A list entry that
        the cut goes through is dropped.
        """
        kept: list[str] = []
        budget = _MAX
        for line in reversed(self._lines.get(name, ())):
            if len(line) > budget:
                kept.append(line[len(line) - max(budget, 0) :].partition(",")[2])
                break
            kept.append(line)
            budget -= len(line) + 1
        return kept[::-1]

    def entries(self, name: str) -> list[str]:
        """Return the comma-separated values of all lines; of too many only the last ones."""
        values = (value.strip(" \t") for line in self.lines(name) for value in line.split(","))
        return [value for value in values if value][-_MAX_ENTRIES:]

    def uncut(self, name: str) -> list[str]:
        """Return the lines of a header as they arrived."""
        return self._lines.get(name, [])

    def believe(self, name: str) -> None:
        """Note that a header was used."""
        self._believed.add(name)

    def ignore(self, name: str, reason: str) -> None:
        """Note why a header that is present is not used; the first reason stays."""
        if name in self._lines:
            self._reasons.setdefault(name, reason)

    def pick(self, candidates: Sequence[tuple[str, T | None]], *, junk: str) -> T | None:
        """Return the first usable value, and note for each candidate whether it was used.

        Args:
            candidates: header names, with None where the header holds nothing usable.
            junk: what to say of such a header, if it is there.
        """
        chosen = next(((name, value) for name, value in candidates if value is not None), None)
        for name, value in candidates:
            if value is None or chosen is None:
                self.ignore(name, junk)
            elif value == chosen[1]:
                self.believe(name)
            else:
                self.ignore(name, f"differs from {chosen[0]}, which counts first")
        return chosen[1] if chosen else None

    @property
    def believed(self) -> tuple[str, ...]:
        """The headers that were used."""
        return tuple(name for name in self.names if name in self._believed)

    @property
    def reasons(self) -> dict[str, str]:
        """The headers that were not, each with the reason."""
        return {
            name: self._reasons.get(name, "is not needed")
            for name in self.names
            if name not in self._believed
        }
