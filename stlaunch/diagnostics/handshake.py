"""What a WebSocket handshake contained when it arrived, and the verdict on it.

It observes and compares; it answers nothing. Values that could identify somebody (cookie values,
keys, tokens, addresses) are dropped here, so nothing that is built on it can leak them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any

from stlaunch.quick_dataclass import dataclass

_MAX_VALUE = 256
_MAX_WITNESSES = 64
_ENOUGH_WITNESSES = 2
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT"})
_HTTP_VERSIONS = frozenset({"1.0", "1.1", "2", "3"})
_OTHER = "other"
_BLANKS = " \t"
_FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip"}
    | {f"x-forwarded-{name}" for name in ("for", "proto", "host", "port", "prefix", "server")}
)


class HandshakeVerdict(StrEnum):
    """What became of a handshake on its way here."""

    INTACT = "intact"
    UPGRADE_STRIPPED = "upgrade_stripped"
    CONNECTION_STRIPPED = "connection_stripped"
    PROTOCOL_STRIPPED = "protocol_stripped"
    ORIGIN_REJECTED = "origin_rejected"
    NOT_A_HANDSHAKE = "not_a_handshake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """One attempt to open the stream, as it arrived. Secret header values are masked."""

    http_version: str
    method: str
    is_websocket: bool
    upgrade: str | None = None
    connection: str | None = None
    host: str | None = None
    origin: str | None = None
    key: str | None = None
    version: str | None = None
    protocols: int = 0
    extensions: str | None = None
    cookie_names: tuple[str, ...] = ()
    forwarding: tuple[str, ...] = ()

    @property
    def verdict(self) -> HandshakeVerdict:
        """Evaluate the attempt by what it still carries (RFC 6455 section 4.2.1)."""
        if self.is_websocket:
            return HandshakeVerdict.INTACT if self.protocols else HandshakeVerdict.PROTOCOL_STRIPPED
        if not (self.key or self.upgrade or self.version):
            return HandshakeVerdict.NOT_A_HANDSHAKE
        if "websocket" in (self.upgrade or "").lower():
            return HandshakeVerdict.CONNECTION_STRIPPED
        return HandshakeVerdict.UPGRADE_STRIPPED

    @property
    def missing(self) -> tuple[str, ...]:
        """Name the headers that a handshake needs and this one lacks."""
        gone = []
        if "websocket" not in (self.upgrade or "").lower():
            gone.append("Upgrade: websocket")
        if "upgrade" not in (self.connection or "").lower():
            gone.append("Connection: Upgrade")
        if not self.key:
            gone.append("Sec-WebSocket-Key")
        return tuple(gone)

    def as_dict(self) -> dict[str, Any]:
        """Return the masked record, with its own words, for the client that sent it."""
        return asdict(self)

    def for_others(self) -> dict[str, Any]:
        """Return what other clients may read: only words of ours, whatever was sent.

        A header can hold a sentence with a link just as well as `websocket`.
        """
        return {
            "http_version": self.http_version if self.http_version in _HTTP_VERSIONS else _OTHER,
            "method": self.method if self.method in _METHODS else _OTHER,
            "is_websocket": self.is_websocket,
            "upgrade": _word(self.upgrade, "websocket"),
            "connection": _word(self.connection, "upgrade"),
            "key": self.key,
            "version": _word(self.version, "13"),
            "protocols": self.protocols,
            "extensions": _word(self.extensions, "permessage-deflate"),
            "forwarding": sorted({_known_forwarding(name) for name in self.forwarding}),
            "missing": list(self.missing),
        }


def _word(value: str | None, usual: str) -> str | None:
    """Return the usual word where a header holds it, None without the header."""
    if value is None:
        return None
    words = {word.strip(_BLANKS).lower() for word in value.replace(";", ",").split(",")}
    return usual if usual in words else _OTHER


def _known_forwarding(name: str) -> str:
    return name if name in _FORWARDING else _OTHER


def read_handshake(scope: Mapping[str, Any], *, known_cookies: Iterable[str] = ()) -> Handshake:
    """Record an ASGI `http` or `websocket` scope.

    Args:
        scope: with its headers as they arrived, before any layer changed them.
        known_cookies: the cookie names that may be shown; others are only counted.
    """
    headers = scope["headers"]
    known = frozenset(known_cookies)

    def shown(name: bytes) -> str | None:
        value = header_value(headers, name)
        return value[:_MAX_VALUE] if value else value

    names = [name for name, _ in read_cookies(headers)]
    return Handshake(
        http_version=str(scope.get("http_version", "")),
        method=str(scope.get("method", "GET")),
        is_websocket=scope["type"] == "websocket",
        upgrade=shown(b"upgrade"),
        connection=shown(b"connection"),
        host=shown(b"host"),
        origin=shown(b"origin"),
        key="present" if header_value(headers, b"sec-websocket-key") else None,
        version=shown(b"sec-websocket-version"),
        protocols=len(list_values(headers, b"sec-websocket-protocol")),
        extensions=shown(b"sec-websocket-extensions"),
        cookie_names=tuple(sorted(known & set(names)))
        + ((f"{len(set(names) - known)} others",) if set(names) - known else ()),
        forwarding=tuple(
            sorted(
                {
                    name.decode("latin-1")
                    for name, _ in headers
                    if name == b"forwarded"
                    or name.startswith((b"x-forwarded-", b"x-real-", b"via"))
                }
            )
        ),
    )


def compare(sent: Mapping[str, str], arrived: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the headers that changed on the way, as name -> (sent, arrived); "" is absent."""
    names = {name.lower() for name in (*sent, *arrived)}
    before = {name.lower(): value for name, value in sent.items()}
    after = {name.lower(): value for name, value in arrived.items()}
    return {
        name: (before.get(name, ""), after.get(name, ""))
        for name in sorted(names)
        if before.get(name, "") != after.get(name, "")
    }


def header_value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return all values of a header joined by a comma, never cut; None without."""
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return ", ".join(values) if values else None


def list_values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """Split a list header, also one that came as several lines, into its non-empty members."""
    lines = [value.decode("latin-1") for key, value in headers if key == name]
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


def read_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return (name, value) of every cookie, duplicates kept (RFC 6265 section 4.2)."""
    pairs = []
    for key, line in headers:
        if key != b"cookie":
            continue
        for part in line.decode("latin-1").split(";"):
            # Python's own `strip` also removes a no-break space: a sibling domain could set a
            # cookie with one in its name, to pass as ours.
            name, separator, value = part.partition("=")
            if separator:
                pairs.append((name.strip(_BLANKS), value.strip(_BLANKS)))
    return pairs


def with_cookies(
    headers: Iterable[tuple[bytes, bytes]], cookies: Iterable[tuple[str, str]]
) -> list[tuple[bytes, bytes]]:
    """Return the headers with these cookies in place of all others."""
    kept = [item for item in headers if item[0] != b"cookie"]
    line = "; ".join(f"{name}={value}" for name, value in cookies)
    return [*kept, (b"cookie", line.encode("latin-1"))] if line else kept


@dataclass(slots=True)
class HandshakeStats:
    """Counts handshakes by verdict, and keeps the last one of each kind, masked."""

    counts: Counter[HandshakeVerdict] = field(default_factory=Counter)
    last: dict[HandshakeVerdict, tuple[float, Handshake]] = field(default_factory=dict)
    rejections: Counter[str] = field(default_factory=Counter)
    transports: Counter[str] = field(default_factory=Counter)
    _witnesses: dict[str, set[str]] = field(default_factory=dict)
    _clients: dict[str, set[str]] = field(default_factory=dict)

    def record(
        self,
        verdict: HandshakeVerdict,
        handshake: Handshake,
        *,
        reason: str = "",
        witness: str = "",
        client: str = "",
    ) -> None:
        """Add one.

        Args:
            verdict: what became of it.
            handshake: what it carried.
            reason: the rule that refused it.
            witness: the client whose browser shows the app's own page; empty for anybody else,
                who has no say in what others read.
            client: who sent it; the same one reads it in the summary.
        """
        self.counts[verdict] += 1
        self.last[verdict] = (time.monotonic(), handshake)
        if reason:
            self.rejections[reason] += 1
        for kept, who in ((self._witnesses, witness), (self._clients, client)):
            seen = kept.setdefault(_bad_news(verdict), set())
            if who and len(seen) < _MAX_WITNESSES:
                seen.add(who)

    @property
    def stripped(self) -> int:
        """How many handshakes arrived without their upgrade."""
        return sum(self.counts[verdict] for verdict in STRIPPED)

    def summary(self, client: str = "") -> str:
        """Return the verdict in one word: `intact`, `degraded`, `stripped`, `rejected` or `unseen`.

        Anybody can send a broken handshake. Bad news counts if the client who asks sent it, or
        if pages of two different clients report it.

        Args:
            client: who asks.
        """
        intact = self.counts[HandshakeVerdict.INTACT]
        stripped = self._is_believed("stripped", client) or self._is_own("stripped", client)
        rejected = self._is_believed("rejected", client) or self._is_own("rejected", client)
        if not (intact or stripped or rejected):
            return "unseen"
        if intact:
            return "degraded" if stripped or rejected else "intact"
        return "stripped" if stripped else "rejected"

    def is_broken(self, client: str = "") -> bool:
        """Return whether a monitor should hear that no WebSocket works: pages of the app say so."""
        bad = self._is_believed("stripped", client) or self._is_believed("rejected", client)
        return bad and not self.counts[HandshakeVerdict.INTACT]

    def _is_own(self, bad_news: str, client: str) -> bool:
        return client in self._clients.get(bad_news, set())

    def _is_believed(self, bad_news: str, client: str) -> bool:
        witnesses = self._witnesses.get(bad_news, set())
        return client in witnesses or len(witnesses) >= _ENOUGH_WITNESSES


def _bad_news(verdict: HandshakeVerdict) -> str:
    if verdict is HandshakeVerdict.ORIGIN_REJECTED:
        return "rejected"
    return "stripped" if verdict in STRIPPED else ""


STRIPPED: Sequence[HandshakeVerdict] = (
    HandshakeVerdict.UPGRADE_STRIPPED,
    HandshakeVerdict.CONNECTION_STRIPPED,
)
