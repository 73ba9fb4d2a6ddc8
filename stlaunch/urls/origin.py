"""Web origins and the app's public URL, parsed once; access is decided elsewhere."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath

DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
# A dot is required between any two labels: if it were optional, matching would take
# exponential time.
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_HOST = 253
MAX_PORT = 65535


class OriginCheck(StrEnum):
    """How a WebSocket whose Origin differs from its Host may still be let in."""

    PROOF = "proof"
    """The browser proves that it runs the app's own page."""
    STRICT = "strict"
    """Not at all: Origin must match, or be allowed by name."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host in lower case, without brackets, and the port where one was written."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> HostPort | None:
        """Read a Host header or one X-Forwarded-Host value; None for anything malformed.

        >>> HostPort.parse("[2001:DB8::1]:8443")
        HostPort(host='2001:db8::1', port=8443)
        """
        text = text.strip(" \t")
        host, port = text, ""
        if text.startswith("["):
            host, bracket, tail = text[1:].partition("]")
            if not bracket or (tail and not tail.startswith(":")):
                return None
            port = tail[1:]
            if tail == ":" or not _is_ipv6(host):
                return None
        elif ":" in text:
            host, _, port = text.rpartition(":")
            if not port or ":" in host:
                return None
        if not text.startswith("[") and not _is_host_name(host):
            return None
        if port and not (port.isascii() and port.isdigit() and len(port) <= 5):  # noqa: PLR2004
            return None
        if port and not 0 < int(port) <= MAX_PORT:
            return None
        return cls(host.lower().rstrip("."), int(port) if port else None)

    def port_or_default(self, scheme: str) -> int | None:
        """The port, or the one that the scheme implies."""
        return self.port if self.port is not None else DEFAULT_PORTS.get(scheme)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a web page (RFC 6454); `port` is always filled in."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Read an Origin header; None for `null` and for anything that is not http or https.

        >>> str(Origin.parse("HTTPS://App.Example:443"))
        'https://app.example'
        """
        scheme, separator, rest = text.partition("://")
        scheme = scheme.lower()
        if not separator or scheme not in DEFAULT_PORTS:
            return None
        place = HostPort.parse(rest) if rest == rest.strip() else None
        if place is None:
            return None
        port = place.port_or_default(scheme)
        return None if port is None else cls(scheme, place.host, port)

    @classmethod
    def parse_setting(cls, text: str) -> Origin:
        """Read an origin that the user typed.

        Raises:
            UsageError: for anything but `https://host[:port]`.
        """
        origin = cls.parse(as_ascii(text.strip().removesuffix("/")))
        if origin is None:
            hint = "Write scheme and host, with the port if it is not the usual one: "
            raise UsageError(
                f"The origin {text!r} is not of the form https://host or https://host:port.",
                hint=hint + "https://portal.example.com",
            )
        return origin

    @property
    def place(self) -> HostPort:
        """The host as a browser writes it in Host: the port only where it is not the default."""
        usual = DEFAULT_PORTS[self.scheme] == self.port
        return HostPort(self.host, None if usual else self.port)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """The address that the browser shows for the app's front page."""

    origin: Origin
    base_path: BasePath

    @classmethod
    def parse(cls, text: str) -> PublicUrl:
        """Read `https://example.com/streamlitApp`.

        Raises:
            UsageError: for another scheme, user information, a query, a fragment or a bad path.
        """
        scheme, separator, rest = text.strip().partition("://")
        place, _, path = rest.partition("/")
        origin = Origin.parse(f"{scheme}://{as_ascii(place)}") if separator else None
        if origin is None:
            raise UsageError(
                f"The public URL {text!r} is not of the form https://host/path.",
                hint=_with_scheme(text.strip())
                or "Write the address in the browser's address bar: https://example.com/streamlitApp",
            )
        return cls(origin, BasePath.parse("/" + path))

    def __str__(self) -> str:
        return f"{self.origin}{self.base_path.with_slash}"


def as_ascii(place: str) -> str:
    """Return what a user typed with its host as browsers send it: non-ASCII names as punycode.

    Text without such a name, or with one that no browser would accept, is returned as it is.

    >>> as_ascii("bücher.example:8443")
    'xn--bcher-kva.example:8443'
    """
    if place.isascii():
        return place
    import idna  # noqa: PLC0415 - its tables take time, and few need them

    scheme, separator, rest = place.rpartition("://")
    host, colon, port = rest.partition(":")
    try:
        encoded = idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        return place
    return f"{scheme}{separator}{encoded}{colon}{port}"


def _with_scheme(text: str) -> str:
    """Suggest the address with a scheme, where that is all that it lacks."""
    place = text.partition("/")[0]
    scheme = "http" if place.partition(":")[0] in {"localhost", "127.0.0.1"} else "https"
    is_address = "://" not in text and Origin.parse(f"{scheme}://{as_ascii(place)}") is not None
    return f"Did you mean {scheme}://{text}?" if is_address else ""


def is_url(text: str) -> bool:
    """Distinguish a URL from a path, for settings that take either."""
    scheme, separator, _ = text.strip().partition("://")
    return bool(separator) and scheme.lower() in DEFAULT_PORTS


def _is_host_name(text: str) -> bool:
    return len(text) <= _MAX_HOST and _HOST_NAME.fullmatch(text) is not None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text
