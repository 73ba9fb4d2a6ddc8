"""Resolve the client and the public address of a request from trusted forwarding headers.

It reads headers and changes nothing; what is served under which path is not decided here.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import forwarded

from stlaunch.forwarded.headers import (
    FOR,
    FORWARDED,
    HOST,
    ORIGINALS,
    PORT,
    PREFIX,
    PREFIXES,
    PROTO,
    REAL_IP,
    SCHEMES,
    SWITCHES,
    HeaderReader,
)
from stlaunch.forwarded.trusted_proxies import Network, TrustedProxies, read_address
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import DEFAULT_PORTS, MAX_PORT, HostPort

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SCHEME_OF = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_MAX_PREFIX = 512
_MAX_ORIGINAL = 4096
# The walk starts at an address, which a Unix socket does not have. This one represents it; it is
# from the discard-only block (RFC 6666), so that no proxy will ever send it.
_UNIX_STAND_IN = "100::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """What trusted proxies said about one request."""

    client: tuple[str, int] | None = None
    """The address and port (0: unknown) of the client; None at a Unix socket, and where a
    trusted proxy wrote something that is not an address."""
    scheme: str | None = None
    """What the browser used, `http` or `https`; None where no trusted header says."""
    host: HostPort | None = None
    """The host in the browser's address bar; None where no trusted header says."""
    prefix: BasePath | None = None
    """The path in front of the app. Forgeable: count it for its own request only."""
    hops: int = 0
    """How many trusted proxies the request passed; 0 without any forwarding header."""
    is_peer_trusted: bool = False
    """Whether the connection came from one of the trusted proxies."""
    believed: tuple[str, ...] = ()
    """The forwarding headers that were used."""
    ignored: tuple[str, ...] = ()
    """The forwarding headers that were present but not used."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why, for each of the ignored ones."""


@dataclass(frozen=True, slots=True)
class _Sender:
    """The client, and what else the header that named it says."""

    client: tuple[str, int] | None
    hops: int
    proto: str | None = None
    host: str | None = None
    is_named: bool = True
    """Whether the header was meant to name the client at all."""


def resolve_forwarded(
    *,
    headers: Iterable[tuple[bytes, bytes]],
    peer: tuple[str, int] | None,
    scheme: str,
    trusted: TrustedProxies,
    path: str = "",
) -> Forwarded:
    """Read the forwarding headers of one request; never raises, whatever they hold.

    >>> seen = resolve_forwarded(
    ...     headers=[(b"x-forwarded-for", b"6.6.6.6, 192.0.2.1"), (b"x-forwarded-proto", b"wss")],
    ...     peer=("127.0.0.1", 4711), scheme="ws", trusted=TrustedProxies.parse(["loopback"]),
    ... )
    >>> seen.client, seen.scheme
    (('192.0.2.1', 0), 'https')

    From an untrusted peer nothing is trusted. From a trusted one:

    - client: X-Forwarded-For, all lines as one list, from the right to the first untrusted hop.
      Forwarded instead where there is no X-Forwarded-For, or along with it where both name the
      same client: most proxies write one and pass on whatever the client put into the other.
    - scheme: https if any value says so, because JupyterHub's proxy appends the inner scheme last.
    - host, port: the value which the trusted proxy nearest to the client wrote if each of them
      appended one; where there are fewer values than trusted proxies, the first.
    - prefix: a plain path or nothing. The lines of X-Forwarded-Prefix are joined, outermost
      first, as a chain of Traefik middleware writes them. Where no header names the prefix, one
      that names the whole original path gives it: the part in front of the path that arrived.

    Args:
        headers: as in an ASGI scope.
        peer: who is connected, as in `scope["client"]`; None for a Unix socket.
        scheme: what the connection itself uses, as in `scope["scheme"]`.
        trusted: the peers to trust, and the hops to skip.
        path: the requested one, decoded, as in `scope["path"]`; empty where it is not known.
    """
    reader = HeaderReader(headers)
    if (None if peer is None else peer[0]) not in trusted:
        source = "a Unix socket" if peer is None else repr(peer[0][:64])
        reasons = dict.fromkeys(reader.names, f"came from {source}, not a trusted proxy")
        return Forwarded(client=peer, ignored=reader.names, reasons=reasons)
    if not reader.names:
        return Forwarded(client=peer, is_peer_trusted=True)
    sender = _sender(reader, peer, trusted)
    told_scheme = _scheme(reader, sender)
    prefix = _prefix(reader, path)
    return Forwarded(
        client=sender.client,
        scheme=told_scheme,
        host=_host(reader, sender, told_scheme or _SCHEME_OF.get(scheme.lower(), "http")),
        prefix=prefix,
        hops=sender.hops,
        is_peer_trusted=True,
        believed=reader.believed,
        ignored=tuple(reader.reasons),
        reasons=reader.reasons,
    )


def _sender(reader: HeaderReader, peer: tuple[str, int] | None, trusted: TrustedProxies) -> _Sender:
    address = None if peer is None else read_address(peer[0])
    remote = _UNIX_STAND_IN if address is None else str(address)
    known = [*trusted.networks, remote]
    standard = _read_forwarded(reader.lines(FORWARDED), remote, known)
    if entries := reader.entries(FOR):
        usual = _read_x_forwarded_for(entries, remote, known)
        reader.ignore(REAL_IP, f"is not needed next to {FOR}")
        if usual.client is None:
            reader.ignore(FOR, "has no address in the client's place")
        else:
            reader.believe(FOR)
        if standard and standard.client and usual.client and standard.client[0] == usual.client[0]:
            reader.believe(FORWARDED)
            return replace(usual, proto=standard.proto, host=standard.host)
        reader.ignore(FORWARDED, f"does not name the client that {FOR} names")
        return usual
    if standard is None:
        reader.ignore(FORWARDED, "cannot be read")
        return _Sender(_real_ip(reader) or peer, 1)
    if not standard.is_named:
        return replace(standard, client=_real_ip(reader) or peer)
    reader.ignore(REAL_IP, f"is not needed next to {FORWARDED}")
    if standard.client is None:
        reader.ignore(FORWARDED, "has no address in the client's place")
    else:
        reader.believe(FORWARDED)
    return standard


def _read_x_forwarded_for(
    entries: list[str], remote: str, known: Sequence[Network | str]
) -> _Sender:
    found = forwarded.client_from_x_forwarded(entries, remote, trusted=known)
    return _Sender(None, 1) if found is None else _Sender(_address(found.node), found.proxies)


def _read_forwarded(
    lines: list[str], remote: str, known: Sequence[Network | str]
) -> _Sender | None:
    elements = forwarded.parse(lines)
    if not elements:
        return None
    found = forwarded.client_from_forwarded(lines, remote, trusted=known)
    if found is not None:
        return _Sender(_address(found.node), found.proxies or 1, found.proto, found.host)
    last = elements[-1]
    if "for" in last:
        return None
    return _Sender(None, 1, last.get("proto"), last.get("host"), is_named=False)


def _address(node: forwarded.Node) -> tuple[str, int] | None:
    address = None if node.ip is None else read_address(str(node.ip))
    port = node.port if isinstance(node.port, int) and node.port <= MAX_PORT else 0
    return None if address is None else (str(address), port)


def _real_ip(reader: HeaderReader) -> tuple[str, int] | None:
    texts = set(reader.uncut(REAL_IP))
    address = read_address(texts.pop().strip("[]")) if len(texts) == 1 else None
    if address is None:
        reader.ignore(REAL_IP, "is not one address")
        return None
    reader.believe(REAL_IP)
    return str(address), 0


def _scheme(reader: HeaderReader, sender: _Sender) -> str | None:
    candidates = [(PROTO, _scheme_in(reader.entries(PROTO)))]
    if sender.proto is not None:
        candidates.append((FORWARDED, _scheme_in([sender.proto])))
    candidates += [(name, _scheme_in(reader.entries(name))) for name in SCHEMES]
    for name in SWITCHES:
        is_on = "on" in {value.lower() for value in reader.entries(name)}
        candidates.append((name, "https" if is_on else None))
    return reader.pick(candidates, junk="is neither http nor https")


def _scheme_in(values: Iterable[str]) -> str | None:
    found = {_SCHEME_OF.get(value.lower()) for value in values}
    return "https" if "https" in found else "http" if "http" in found else None


def _host(reader: HeaderReader, sender: _Sender, scheme: str) -> HostPort | None:
    candidates = [(HOST, HostPort.parse(_nearest_client(reader.entries(HOST), sender.hops)))]
    if sender.host is not None:
        candidates.append((FORWARDED, HostPort.parse(sender.host)))
    forwarded = reader.pick(candidates, junk="is not a host")
    # nginx's $host has no port, so the port may belong to the Host line as well.
    lines = [forwarded] if forwarded else [HostPort.parse(line) for line in reader.hosts]
    place = lines[0] if len(lines) == 1 else None
    text = _nearest_client(reader.entries(PORT), sender.hops)
    port = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
    if not 0 < port <= MAX_PORT:
        reader.ignore(PORT, "is not a port")
    elif port == DEFAULT_PORTS[scheme]:
        reader.ignore(PORT, f"is the usual port of {scheme}")
    elif port in DEFAULT_PORTS.values():
        # JupyterHub's proxy, behind TLS, says 80: that is its own port.
        reader.ignore(PORT, f"does not go with {scheme}, so it is another hop's")
    elif place is None or place.port is not None:
        reader.ignore(PORT, "has no host without a port to go with")
    else:
        reader.believe(PORT)
        return HostPort(place.host, port)
    return forwarded


def _nearest_client(values: Sequence[str], hops: int) -> str:
    return values[-min(hops, len(values))] if values else ""


def _prefix(reader: HeaderReader, path: str) -> BasePath | None:
    candidates = [(name, _prefix_in(name, reader.uncut(name))) for name in PREFIXES]
    # A proxy that writes `/` has not moved the app; another header may know of one that has.
    candidates.sort(key=lambda candidate: candidate[1] == BasePath())
    forwarded = reader.pick(candidates, junk="is not a plain path")
    originals = [(name, _prefix_before(path, reader.uncut(name))) for name in ORIGINALS]
    if forwarded is None or forwarded == BasePath():
        junk = "does not end with the path that arrived, or is that path"
        return reader.pick(originals, junk=junk) or forwarded
    for name, _ in originals:
        reader.ignore(name, "is not needed next to a header with the prefix")
    return forwarded


def _prefix_before(path: str, lines: list[str]) -> BasePath | None:
    """Return what an original path has in front of `path`; None for nothing, and for junk.

    `/app/page2?x=1` before `/page2` gives `/app`.
    """
    if len(set(lines)) != 1 or len(lines[0]) > _MAX_ORIGINAL or not path.startswith("/"):
        return None
    original = _path_of(re.split("[?#]", lines[0], maxsplit=1)[0])
    if path == "/" and not original.endswith("/"):
        original += "/"  # the proxy added the slash
    if not unquote(original).endswith(path):
        return None
    front = "/".join(original.split("/")[: -path.count("/")])
    return BasePath.parse_forwarded(front) if front else None


def _path_of(text: str) -> str:
    """Return the path of a URL, and a path as it is."""
    before, separator, rest = text.partition("://")
    is_url = bool(separator) and before.lower() in DEFAULT_PORTS
    return "/" + rest.partition("/")[2] if is_url else text


def _prefix_in(name: str, lines: list[str]) -> BasePath | None:
    if name == PREFIXES[-1]:
        lines = [_path_of(line) for line in lines]
    if name != PREFIX:
        return BasePath.parse_forwarded(lines[0]) if len(set(lines)) == 1 else None
    text = ",".join(lines)
    if not text or len(text) > _MAX_PREFIX:
        return None
    # A comma may be part of a path; one before a slash separates two of them.
    paths = [BasePath.parse_forwarded(part) for part in re.split(",[ \t]*(?=/)", text)]
    if any(path is None for path in paths):
        return None
    return BasePath("".join(map(str, paths)))
