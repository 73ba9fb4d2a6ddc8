"""Resolve each setting from all sources; the only resolver. Pure.

The order of the places is that of `SourceKind`: call, command line, environment, project file,
Streamlit's own configuration, platform, default.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from stlaunch.errors import UsageError
from stlaunch.settings.model import BehindProxy, Place, Setting, Settings, SourceKind
from stlaunch.settings.parsers import parse_host, parse_port
from stlaunch.settings.raw_values import RawSettings, RawValue, parse_at
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import PublicUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stlaunch.platforms import Hit, Placement, PlatformValue
    from stlaunch.streamlit_adapter import UserOption

DEFAULT_HOST = "127.0.0.1"
_RANK = {kind: rank for rank, kind in enumerate(SourceKind)}

T = TypeVar("T")


def resolve(values: Sequence[RawValue[T]]) -> Setting[T]:
    """Return what the strongest place says, and what it overrides; of equal places the first.

    Args:
        values: at least one: the default.
    """
    winner, *weaker = sorted(values, key=lambda value: _RANK[value.kind])
    return Setting(
        value=winner.read(),
        source=winner.kind,
        where=winner.where,
        shadowed=tuple(
            (value.where, value.text) for value in weaker if value.kind is not SourceKind.DEFAULT
        ),
    )


def resolve_settings(
    raw: RawSettings,
    *,
    user_options: Mapping[str, UserOption] | None = None,
    hits: Sequence[Hit] = (),
    environ: Mapping[str, str] | None = None,
    bound_port: int | None = None,
) -> Settings:
    """Return every setting; see `resolve_place` for the arguments.

    Raises:
        UsageError: for a bad value (with the place it came from), or settings that contradict
            each other.
    """
    place = resolve_place(
        raw, user_options=user_options, hits=hits, environ=environ, bound_port=bound_port
    )
    return Settings(
        **{found.name: getattr(place, found.name) for found in fields(place)},
        allow_origin=resolve(raw.of("allow_origin")),
        prefix=resolve(raw.of("prefix")),
        origin_check=resolve(raw.of("origin_check")),
        config_out=resolve(raw.of("config_out")),
        self_check=resolve(raw.of("self_check")),
        verify=_verify(raw, place),
        transport=resolve(raw.of("transport")),
        drain_timeout=resolve(raw.of("drain_timeout")),
        warm_up=resolve(raw.of("warm_up")),
        max_sessions=resolve(raw.of("max_sessions")),
        log_format=resolve(raw.of("log_format")),
        access_log=resolve(raw.of("access_log")),
        self_check_token=raw.self_check_token,
    )


def resolve_place(
    raw: RawSettings,
    *,
    user_options: Mapping[str, UserOption] | None = None,
    hits: Sequence[Hit] = (),
    environ: Mapping[str, str] | None = None,
    bound_port: int | None = None,
) -> Place:
    """Return where the app listens and is reached.

    Args:
        raw: what the caller, the environment and the project file say.
        user_options: what the user set for Streamlit itself.
        hits: the platforms that were recognised, the innermost first.
        environ: the environment they were found in.
        bound_port: the port that the app has already, where any free one was asked for.

    Raises:
        UsageError: see `resolve_settings`.
    """
    # Late: it comes with the table of all platforms, which `--help` does not need.
    from stlaunch.platforms import place  # noqa: PLC0415
    from stlaunch.platforms.advice import trusted_by_default  # noqa: PLC0415

    user, environ = user_options or {}, environ or {}
    hosts, ports, sockets = _listener(raw, user)
    asked = resolve([*ports, _default(None)]).value if bound_port is None else bound_port
    placement = place(hits, environ, port=asked, default_port=streamlit_defaults.PORT)
    hosts = [*hosts, *_of_platform(placement.host)]
    ports = [*ports, *_of_platform(placement.port)]
    port = _or_default(resolve([*ports, _default(None)]), streamlit_defaults.PORT)
    is_address_asked = any(value.kind is not SourceKind.PLATFORM for value in (*hosts, *ports))
    behind, public_url = _addresses(raw, user, placement)
    return Place(
        behind_proxy=behind,
        public_url=public_url,
        host=_or_default(resolve([*hosts, _default(None)]), DEFAULT_HOST),
        port=port if bound_port is None else replace(port, value=bound_port),
        uds=resolve(
            [*sockets, *([] if is_address_asked else _of_platform(placement.uds)), _default(None)]
        ),
        trusted_proxies=resolve(
            [
                *_said(raw, "trusted_proxies"),
                *_of_platform(placement.peers, lambda _: trusted_by_default(placement)),
                _default(trusted_by_default(placement)),
            ]
        ),
        embed_in=resolve(
            [
                *_said(raw, "embed_in"),
                *_of_platform(placement.framed_by, lambda origin: (origin,)),
                _default(()),
            ]
        ),
        mount_path=_mounts(raw, user, placement, behind.value.paths),
        placement=placement,
    )


def _mounts(
    raw: RawSettings,
    user: Mapping[str, UserOption],
    placement: Placement,
    public: Sequence[BasePath],
) -> Setting[tuple[BasePath, ...]]:
    """Return the other paths that may arrive; Streamlit's own is one, where another is public."""
    found = resolve([*_said(raw, "mount_path"), *_of_platform(placement.mount_paths), _default(())])
    own = [value.read() for value in _of_streamlit(user, "server.baseUrlPath", BasePath.parse)]
    more = [path for path in own if path.value and path not in (*public, *found.value)]
    return replace(found, value=(*found.value, *more))


def _said(raw: RawSettings, name: str) -> list[RawValue[Any]]:
    return [value for value in raw.of(name) if value.kind is not SourceKind.DEFAULT]


def _default(value: T) -> RawValue[T]:
    return RawValue(kind=SourceKind.DEFAULT, where="default", text="", read=lambda: value)


def _or_default(setting: Setting[T | None], default: T) -> Setting[T]:
    return Setting(
        value=default if setting.value is None else setting.value,
        source=setting.source,
        where=setting.where,
        shadowed=setting.shadowed,
    )


def _of_platform(
    fact: PlatformValue[Any] | None, read: Callable[[Any], Any] = lambda value: value
) -> list[RawValue[Any]]:
    if fact is None:
        return []
    value = read(fact.value)
    return [
        RawValue(kind=SourceKind.PLATFORM, where=fact.where, text=_shown(value), read=lambda: value)
    ]


def _of_streamlit(
    user: Mapping[str, UserOption], key: str, read: Callable[[str], Any]
) -> list[RawValue[Any]]:
    option = user.get(key)
    if option is None or option.value in (None, "", []) or option.value == "/":
        return []
    kind = SourceKind.STREAMLIT_CONFIG
    if option.where.startswith("--"):
        kind = SourceKind.COMMAND_LINE
    elif option.where.startswith("STREAMLIT_"):
        kind = SourceKind.ENVIRONMENT
    text = _shown(option.value)
    named = f"{option.where} {key}" if kind is SourceKind.STREAMLIT_CONFIG else option.where
    return [
        RawValue(
            kind=kind, where=option.where, text=text, read=partial(parse_at, read, text, named)
        )
    ]


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _listener(
    raw: RawSettings, user: Mapping[str, UserOption]
) -> tuple[list[RawValue[Any]], list[RawValue[Any]], list[RawValue[Any]]]:
    """Return what was said about host, port and Unix socket; the stronger kind shadows the other.

    An image may set STLAUNCH_PORT and a user still ask for `--uds`. Both in the same place
    contradict each other; Streamlit's own options only give way, because it has no sockets.
    """
    own_hosts, own_ports, sockets = (_said(raw, name) for name in ("host", "port", "uds"))
    hosts = [*own_hosts, *_of_streamlit(user, "server.address", lambda text: parse_host((text,)))]
    ports = [*own_ports, *_of_streamlit(user, "server.port", lambda text: parse_port((text,)))]
    if not sockets or not (hosts or ports):
        return hosts, ports, sockets
    socket, address = sockets[0], _strongest((*hosts, *ports))
    if _RANK[address.kind] < _RANK[socket.kind]:
        return hosts, ports, _silenced_by(address, sockets)
    own = _strongest((*own_hosts, *own_ports, socket))
    if own is not socket and own.kind is socket.kind:
        name = "host" if own in own_hosts else "port"
        raise UsageError(
            f"{_named('uds', socket)} and {_named(name, own)} contradict each other: "
            "the app listens either on a Unix socket or on an address and a port.",
            hint="Use one of them.",
        )
    return _silenced_by(socket, hosts), _silenced_by(socket, ports), sockets


def _strongest(values: Sequence[RawValue[Any]]) -> RawValue[Any]:
    return min(values, key=lambda value: _RANK[value.kind])


def _silenced_by(winner: RawValue[Any], values: Sequence[RawValue[Any]]) -> list[RawValue[Any]]:
    """Return the values after a None from the winner's place, which overrides them."""
    if not values:
        return []
    nothing = RawValue(kind=winner.kind, where=winner.where, text="", read=lambda: None)
    return [nothing, *values]


def _addresses(
    raw: RawSettings, user: Mapping[str, UserOption], placement: Placement
) -> tuple[Setting[BehindProxy], Setting[PublicUrl | None]]:
    """Return the public paths and the public URL: each may name a part of the other."""
    behind = resolve([*_said(raw, "behind_proxy"), _default(BehindProxy())])
    explicit = resolve([*_said(raw, "public_url"), _default(None)])
    own_url = _agreed_url(behind, explicit)
    own_paths = behind.value.paths
    if own_url and not own_paths and (behind.value.is_on or own_url.base_path.value):
        own_paths = (own_url.base_path,)
    is_on = behind.value.is_on or bool(own_paths)
    is_off = behind.is_chosen and not is_on
    # A full address says where the app is; the platform's path is not needed then.
    is_open = not is_off and (is_on or own_url is None)
    names_path = placement.base_paths is not None and any(
        path.value for path in placement.base_paths.value
    )
    paths = resolve(
        [
            *(_again(behind if behind.is_chosen else explicit, own_paths) if own_paths else ()),
            *_of_streamlit(user, "server.baseUrlPath", lambda text: (BasePath.parse(text),)),
            *(_of_platform(placement.base_paths) if is_open and names_path else ()),
            _default(()),
        ]
    )
    found = BehindProxy(
        is_on=is_on or (not is_off and own_url is None and placement.is_behind_proxy),
        paths=paths.value,
        url=own_url,
    )
    setting = behind if paths.source is SourceKind.DEFAULT else paths
    url = resolve(
        [
            *(_again(explicit if explicit.is_chosen else behind, own_url) if own_url else ()),
            *_of_platform(placement.public_url),
            _default(None),
        ]
    )
    if url.value and paths.value and url.value.base_path not in paths.value:
        url = replace(url, value=PublicUrl(url.value.origin, paths.value[0]))
    return replace(setting, value=found), url


def _again(setting: Setting[Any], value: T) -> list[RawValue[T]]:
    """Return a setting, and what it shadowed, as raw values again, with the value they imply."""
    own: RawValue[T] = RawValue(
        kind=setting.source, where=setting.where, text=_shown(value), read=lambda: value
    )
    weaker = [
        RawValue(kind=setting.source, where=where, text=text, read=lambda: value)
        for where, text in setting.shadowed
    ]
    return [own, *weaker]


def _agreed_url(
    behind: Setting[BehindProxy], explicit: Setting[PublicUrl | None]
) -> PublicUrl | None:
    """Return the one public URL that both settings agree on.

    `--public-url https://example.com` next to `--behind-proxy /app` gives only the host; the
    path is then the first one of `--behind-proxy`.
    """
    said, url = behind.value, explicit.value
    if url is None:
        return said.url
    names_path = bool(url.base_path.value)
    fits = (
        (said.url is None or said.url.origin == url.origin)
        and (not said.paths or not names_path or url.base_path in said.paths)
        and (said.url is None or not names_path or said.url == url)
    )
    is_off = behind.is_chosen and not said.is_on
    if not fits or (is_off and names_path):
        other = said.url or ", ".join(map(str, said.paths)) or "off"
        raise UsageError(
            f"{_named('public_url', explicit)} ({url}) and "
            f"{_named('behind_proxy', behind)} ({other}) contradict each other.",
            hint="Set both to the same address, or remove one of them.",
        )
    if names_path or not said.paths:
        return url
    return PublicUrl(url.origin, said.url.base_path if said.url else said.paths[0])


def _verify(raw: RawSettings, place: Place) -> Setting[bool]:
    asked = resolve(raw.of("verify"))
    if asked.value and place.behind_proxy.value.url is None:
        raise UsageError(
            f"{_named('verify', asked)} needs the public URL.",
            hint="Add --public-url https://example.com/streamlitApp",
        )
    return asked


def _named(name: str, place: RawValue[Any] | Setting[Any]) -> str:
    kind = place.kind if isinstance(place, RawValue) else place.source
    return f"{name} in {place.where}" if kind is SourceKind.PROJECT_FILE else place.where
