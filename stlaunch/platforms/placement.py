"""Derive where the app is, and which limits apply, from the detected platforms.

The innermost platform decides where the app is; limits of all of them count, because a connection
passes all of them. Only facts that were read, documented or tried decide. Nothing is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

from stlaunch.errors import UsageError
from stlaunch.platforms.detect import Hit
from stlaunch.platforms.kubernetes import is_service_address
from stlaunch.platforms.model import Certainty, Fact, Layer, Platform, Prefix
from stlaunch.platforms.template import fill
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import MAX_PORT, HostPort, Origin, PublicUrl

T = TypeVar("T")

# Connections to an app there come from another machine, or from the container's host.
_OUTSIDE = frozenset({Layer.HOSTING, Layer.INGRESS, Layer.ORCHESTRATOR, Layer.CONTAINER})


@dataclass(frozen=True, slots=True)
class PlatformValue(Generic[T]):
    """A value that follows from a platform."""

    value: T
    platform: Platform
    certainty: Certainty
    source: str
    names: tuple[str, ...] = ()
    """The variables that it was made of."""

    @property
    def where(self) -> str:
        """How to name the place: `Google Cloud Run (PORT)`."""
        return self.platform.title + (f" ({', '.join(self.names)})" if self.names else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the app is, as far as its platforms show; None and empty where they do not."""

    hits: tuple[Hit, ...] = ()
    port: PlatformValue[int] | None = None
    host: PlatformValue[str] | None = None
    uds: PlatformValue[Path] | None = None
    public_url: PlatformValue[PublicUrl] | None = None
    base_paths: PlatformValue[tuple[BasePath, ...]] | None = None
    mount_paths: PlatformValue[tuple[BasePath, ...]] | None = None
    prefix: PlatformValue[Prefix] | None = None
    peers: PlatformValue[tuple[str, ...]] | None = None
    websocket: PlatformValue[bool] | None = None
    idle_s: PlatformValue[int] | None = None
    body_bytes: PlatformValue[int] | None = None
    message_bytes: PlatformValue[int] | None = None
    framed_by: PlatformValue[Origin] | None = None
    switches_off: tuple[PlatformValue[str], ...] = ()
    unusable: tuple[PlatformValue[str], ...] = ()
    """Settings whose variables hold something that cannot be used, by name."""

    @property
    def is_behind_proxy(self) -> bool:
        """Whether the public path is not simply `/`; it may still have to be detected."""
        if self.base_paths is not None:
            return any(path.value for path in self.base_paths.value)
        return self.prefix is not None and self.prefix.value is not Prefix.NONE

    @property
    def nearest(self) -> Platform | None:
        """The platform that decides where the app is."""
        return next((hit.platform for hit in self.hits if hit.decides), None)


def place(
    hits: Sequence[Hit], environ: Mapping[str, str], *, port: int | None = None, default_port: int
) -> Placement:
    """Return the placement that `hits` imply.

    Args:
        hits: the innermost first.
        environ: the environment they were found in.
        port: the port that was asked for in a stronger place; None where none was, 0 for one that
            is not known yet.
        default_port: what the app listens on if nothing says otherwise.
    """
    deciding = [hit for hit in hits if hit.decides]
    if not deciding:
        return Placement(hits=tuple(hits))
    environ = {name: text for name, text in environ.items() if not is_service_address(text)}
    nearest = deciding[0].platform
    unusable: list[PlatformValue[str]] = []
    reader = _Reader(nearest, environ, None, unusable)
    known_port = reader.tell(nearest.port, "port", _port)
    usual = known_port.value if known_port else default_port
    reader = replace(reader, port=usual if port is None else (port or None))
    url = reader.tell(nearest.public_url, "", _url)
    paths = _paths(reader, url)
    if url is not None and paths is not None and not url.value.base_path.value:
        joined = PublicUrl(url.value.origin, paths.value[0])
        url = replace(url, value=joined)
    return Placement(
        hits=tuple(hits),
        port=known_port,
        host=_host(deciding, environ, unusable),
        uds=reader.tell(nearest.uds, "", _socket),
        public_url=url,
        base_paths=paths,
        mount_paths=reader.tell_paths(nearest.mount_paths),
        prefix=_first(deciding, lambda platform: platform.prefix),
        peers=_peers(deciding),
        websocket=_websocket(deciding),
        idle_s=_lowest(deciding, lambda platform: platform.idle_s),
        body_bytes=_lowest(deciding, lambda platform: platform.body_bytes),
        message_bytes=_lowest(deciding, lambda platform: platform.message_bytes),
        framed_by=_framed_by(deciding),
        switches_off=tuple(
            PlatformValue(name, hit.platform, fact.certainty, fact.source, (name,))
            for hit in deciding
            if (fact := hit.platform.switches_off) and fact.certainty.decides
            for name in fact.value
        ),
        unusable=tuple(unusable),
    )


def contradictions(
    hits: Sequence[Hit], environ: Mapping[str, str]
) -> tuple[PlatformValue[str], ...]:
    """Return, by setting, where a second platform of the deciding one's layer says otherwise."""
    deciding = [hit for hit in hits if hit.decides]
    if not deciding or deciding[0].platform.layer is not Layer.HOSTING:
        return ()
    first = place(deciding[:1], environ, default_port=0)
    found = []
    for other in deciding[1:]:
        if other.platform.layer is not Layer.HOSTING:
            continue
        second = place([other], environ, default_port=0)
        for name in ("port", "public_url"):
            ours, theirs = getattr(first, name), getattr(second, name)
            if ours and theirs and ours.value != theirs.value:
                found.append(PlatformValue(name, other.platform, theirs.certainty, theirs.source))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Fills in the texts of one platform."""

    platform: Platform
    environ: Mapping[str, str]
    port: int | None
    unusable: list[PlatformValue[str]]

    def tell(
        self, fact: Fact[str] | None, setting: str, parse: Callable[[str], T | None]
    ) -> PlatformValue[T] | None:
        """Return the first usable alternative; note variables that hold nothing usable.

        Args:
            fact: the text.
            setting: what it is for; empty for not noting anything.
            parse: returns None for an unusable value.
        """
        if fact is None or not fact.certainty.decides:
            return None
        refused: tuple[str, ...] = ()
        for alternative in fact.value.split(" or "):
            filled = fill(alternative, self.environ, port=self.port)
            value = parse(filled.text) if filled else None
            if filled and value is not None:
                return PlatformValue(
                    value, self.platform, fact.certainty, fact.source, filled.names
                )
            refused += filled.names if filled else ()
        if refused and setting:
            unusable = PlatformValue(setting, self.platform, fact.certainty, fact.source, refused)
            self.unusable.append(unusable)
        return None

    def tell_paths(
        self, fact: Fact[tuple[str, ...]] | None
    ) -> PlatformValue[tuple[BasePath, ...]] | None:
        """Return the usable ones of several paths; None without any."""
        if fact is None:
            return None
        texts = [Fact(text, fact.certainty, fact.source) for text in fact.value]
        found = [self.tell(text, "", _path) for text in texts]
        paths = tuple(one.value for one in found if one and one.value.value)
        return PlatformValue(paths, self.platform, fact.certainty, fact.source) if paths else None


def _paths(
    reader: _Reader, url: PlatformValue[PublicUrl] | None
) -> PlatformValue[tuple[BasePath, ...]] | None:
    platform = reader.platform
    own = reader.tell(platform.base_path, "base_path", _path)
    if own is None and platform.base_path is None:
        # The path of an address whose host cannot be known (`//8501.example.com`) counts as well.
        own = reader.tell(platform.public_url, "", _url_path)
        if url is not None:
            own = PlatformValue(url.value.base_path, platform, url.certainty, url.source, url.names)
    if own is None:
        return None
    paths = [own.value]
    if own.value.value and (others := reader.tell_paths(platform.other_paths)):
        paths += others.value
    return PlatformValue(
        tuple(dict.fromkeys(paths)), platform, own.certainty, own.source, own.names
    )


def _host(
    hits: Sequence[Hit], environ: Mapping[str, str], unusable: list[PlatformValue[str]]
) -> PlatformValue[str] | None:
    for hit in hits:
        platform = hit.platform
        address = _Reader(platform, environ, None, unusable).tell(platform.host, "host", _address)
        if address is not None:
            return address
        if platform.layer in _OUTSIDE:
            return PlatformValue("0.0.0.0", platform, hit.certainty, hit.source)
    return None


def _peers(hits: Sequence[Hit]) -> PlatformValue[tuple[str, ...]] | None:
    for hit in hits:
        platform = hit.platform
        if platform.peers is not None and platform.peers.certainty.decides:
            fact = platform.peers
            return PlatformValue(fact.value, platform, fact.certainty, fact.source)
        if platform.layer in _OUTSIDE:
            return PlatformValue(("private",), platform, hit.certainty, hit.source)
    return None


def _websocket(hits: Sequence[Hit]) -> PlatformValue[bool] | None:
    found = [
        one
        for hit in hits
        if (one := _first([hit], lambda platform: platform.websocket)) is not None
    ]
    return next((one for one in found if not one.value), found[0] if found else None)


def _framed_by(hits: Sequence[Hit]) -> PlatformValue[Origin] | None:
    frame = _first(hits, lambda platform: platform.framed_by)
    origin = Origin.parse(frame.value) if frame else None
    if frame is None or origin is None:
        return None
    return PlatformValue(origin, frame.platform, frame.certainty, frame.source)


def _first(
    hits: Sequence[Hit], pick: Callable[[Platform], Fact[T] | None]
) -> PlatformValue[T] | None:
    for hit in hits:
        fact = pick(hit.platform)
        if fact is not None and fact.certainty.decides:
            return PlatformValue(fact.value, hit.platform, fact.certainty, fact.source)
    return None


def _lowest(
    hits: Sequence[Hit], pick: Callable[[Platform], Fact[int] | None]
) -> PlatformValue[int] | None:
    found = [value for hit in hits if (value := _first([hit], pick)) is not None]
    return min(found, key=lambda value: value.value, default=None)


def _port(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PORT))
    return int(text) if is_number and 0 < int(text) <= MAX_PORT else None


def _socket(text: str) -> Path | None:
    return Path(text) if text.startswith("/") and text.isprintable() else None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        place = HostPort.parse(text)
    return place.host if place and place.port is None else None


def _url(text: str) -> PublicUrl | None:
    for item in map(str.strip, text.split(",")):
        if "{{" in item or "://" not in item:
            continue
        try:
            return PublicUrl.parse(item)
        except UsageError:
            continue
    return None


def _url_path(text: str) -> BasePath | None:
    _, separator, rest = text.partition("//")
    if not separator:
        return _path(text)
    return _path("/" + rest.partition("/")[2])


def _path(text: str) -> BasePath | None:
    return BasePath.parse_forwarded(re.sub("//+", "/", text))
