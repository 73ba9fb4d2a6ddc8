"""What the probes saw: frozen facts, ready for JSON. Nothing is evaluated or masked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any, TypeAlias

from stlaunch.quick_dataclass import dataclass

HeaderPairs: TypeAlias = tuple[tuple[str, str], ...]


class Failure(StrEnum):
    """Why there is no complete answer."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    BAD_HTTP = "bad-http"
    TOO_LARGE = "too-large"
    TLS = "tls"


class TlsTrouble(StrEnum):
    """What is wrong with TLS."""

    UNTRUSTED = "untrusted"
    WRONG_NAME = "wrong-name"
    EXPIRED = "expired"
    PLAIN_HTTP = "plain-http"
    HANDSHAKE = "handshake"


def header(pairs: HeaderPairs, name: str) -> str | None:
    """Return all values of a header joined by a comma; None without it."""
    values = [value for key, value in pairs if key == name]
    return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The answer of the name service."""

    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    failure: Failure | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """One attempt to connect."""

    address: str
    port: int
    elapsed_ms: int
    failure: Failure | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """One TLS handshake that checks the certificate and offers h2 and http/1.1."""

    trust: str | None = None
    """`checked`; None if the certificate was ignored (`--insecure`)."""
    trouble: TlsTrouble | None = None
    detail: str = ""
    protocol: str = ""
    alpn: str = ""
    expires_at: float | None = None
    issuer: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request and as much of its answer as was read.

    Attributes:
        text: the first 64 KiB of the body, decoded.
        size: bytes of the body as they came, as far as they were read.
        sha256: of those bytes.
        first_ms: when the first byte of the body arrived.
    """

    url: str
    method: str = "GET"
    status: int | None = None
    headers: HeaderPairs = ()
    text: str = ""
    size: int = 0
    sha256: str = ""
    elapsed_ms: int = 0
    first_ms: int | None = None
    failure: Failure | None = None
    detail: str = ""

    def header(self, name: str) -> str:
        """Return a header's value by its lower-case name; empty without it."""
        return header(self.headers, name) or ""

    def cookies(self) -> tuple[str, ...]:
        """Return the Set-Cookie lines."""
        return tuple(value for key, value in self.headers if key == "set-cookie")

    @property
    def content_type(self) -> str:
        """The type without its parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def is_ok(self) -> bool:
        """A complete answer with status 200."""
        return self.failure is None and self.status == 200  # noqa: PLR2004 - HTTP

    @property
    def is_redirect(self) -> bool:
        """An answer that leads elsewhere."""
        return self.status in {301, 302, 303, 307, 308} and bool(self.header("location"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One WebSocket handshake on the stream, and its answer."""

    url: str
    sent: HeaderPairs = ()
    status: int | None = None
    headers: HeaderPairs = ()
    text: str = ""
    is_accept_right: bool = False
    elapsed_ms: int = 0
    failure: Failure | None = None
    detail: str = ""

    @property
    def is_open(self) -> bool:
        """The server switched to WebSocket."""
        return self.status == 101  # noqa: PLR2004 - HTTP

    def header(self, name: str) -> str:
        """Return a header of the answer by its lower-case name; empty without it."""
        return header(self.headers, name) or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Http2:
    """One WebSocket handshake over HTTP/2.

    Attributes:
        is_advertised: the server says that it accepts them.
        status: of its answer; 200 opens the WebSocket.
        detail: why there is none.
    """

    is_advertised: bool
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of the app's script over Streamlit's own protocol."""

    messages: int = 0
    size: int = 0
    first_ms: int | None = None
    finished_ms: int | None = None
    is_compiled: bool = True
    exception: str = ""
    streamlit_version: str = ""
    close_code: int | None = None
    close_reason: str = ""
    closed_ms: int | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What `--limits` measured; None is "not measured"."""

    idle_s: float | None = None
    """After how long an idle connection was cut; 0 where it was not."""
    watched_s: float = 0
    busy_s: float | None = None
    """After how long a busy connection was cut; 0 where it was not."""
    body_passed: int | None = None
    body_refused: int | None = None
    """The smallest refused body in bytes; 0 where none was; None where that is not known."""
    message_passed: int | None = None
    message_refused: int | None = None
    """Likewise."""
    drip_first_ms: int | None = None
    drip_last_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLoad:
    """As many files at once as a browser asks for.

    Attributes:
        asked: how many answers came in time.
        refused: how many of these reported too many requests.
        refusal: the first of them.
    """

    asked: int
    refused: int = 0
    refusal: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything that was seen of one address.

    Attributes:
        lacks_slash: the address was given without its final slash.
        is_cut: the check ran out of time.
        cut_reason: the same in words, with the option that gives it more.
        http: exchanges by name; see `stlaunch.check.observe`.
        redirects: the page's redirects, one by one, before `http["page"]`.
        openings: handshakes by name.
        fallback: a run over stlaunch's HTTP requests, where a browser's WebSocket would fail.
        self_check: the app's own report, where it runs under stlaunch.
        forged: the same, requested with forged forwarding headers.
        handshake: headers of one handshake, `sent` and, as the app reports, `arrived`.
        instances: ids of the instances that answered, one per connection.
        load: the result of loading one page's files.
        uploads: statuses of uploads into the session, one per connection.
        skipped: why a probe did not run, by its name.
        crashed: how stlaunch itself failed in a probe, by its name.
        direct: the same, bypassing the proxy.
    """

    url: str
    scheme: str
    host: str
    base_path: str
    at: float
    lacks_slash: bool = False
    is_cut: bool = False
    cut_reason: str = ""
    elapsed_ms: int = 0
    dns: Lookup | None = None
    dialled: tuple[Dialled, ...] = ()
    tls: Tls | None = None
    http: Mapping[str, Exchange] = field(default_factory=dict)
    redirects: tuple[Exchange, ...] = ()
    openings: Mapping[str, Opening] = field(default_factory=dict)
    http2: Http2 | None = None
    session: Session | None = None
    fallback: Session | None = None
    self_check: Mapping[str, Any] | None = None
    forged: Mapping[str, Any] | None = None
    handshake: Mapping[str, Any] | None = None
    instances: tuple[str, ...] | None = None
    load: PageLoad | None = None
    uploads: tuple[int, ...] | None = None
    limits: Limits | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    crashed: Mapping[str, str] = field(default_factory=dict)
    direct: Observations | None = None

    def get(self, name: str) -> Any:
        """Return an observation by its dotted name (`http.page`, `limits.idle_s`), or None."""
        value: Any = self
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
            if value is None or value in ((), {}):
                return None
        return value

    def as_dict(self) -> dict[str, Any]:
        """Return it for a JSON report, unmasked."""
        return asdict(self)
