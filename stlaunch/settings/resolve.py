"""Decides the settings of a launch from everything that was said; it reads nothing itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from stlaunch.errors import UsageError
from stlaunch.settings import fields
from stlaunch.settings.fields import FIELDS, Field
from stlaunch.settings.given import SELF_CHECK_TOKEN, Given, collect_given
from stlaunch.settings.model import Settings, Source, SourceKind
from stlaunch.settings.parsers import parse_self_check_token
from stlaunch.urls.origin import PublicUrl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stlaunch.settings.parsers import BehindProxy
    from stlaunch.urls.base_path import BasePath

T = TypeVar("T")
_KINDS = list(SourceKind)


def resolve_settings(
    *,
    target: str,
    script_args: Sequence[str] = (),
    streamlit_flags: Sequence[tuple[str, str]] = (),
    values: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    project: Mapping[str, object],
    project_where: str = "",
) -> Settings:
    """Return the settings: command line before environment before project file before default.

    Args:
        target: the app as the user named it.
        script_args: what goes to the script.
        streamlit_flags: Streamlit's own flags, raw.
        values: what the command line gave, by field name; an empty text is a flag without value.
        environ: the environment; `STLAUNCH_*` is read.
        project: the parsed project table.
        project_where: how to name that table to the user.

    Raises:
        UsageError: for an unknown name, a bad value (with the place it came from), or settings
            that contradict each other.
    """
    given = _settle_listener(
        collect_given(values=values, environ=environ, project=project, project_where=project_where)
    )
    behind = _parsed(fields.BEHIND_PROXY, given)
    sources = {field.name: _source_of(given[field.name]) for field in FIELDS}
    public_url = _public_url(behind, _parsed(fields.PUBLIC_URL, given), sources)
    paths = behind.paths
    if public_url and not paths and (behind.is_on or public_url.base_path.value):
        paths = (public_url.base_path,)
    return Settings(
        target=target,
        script_args=tuple(script_args),
        streamlit_flags=tuple(streamlit_flags),
        is_behind_proxy=behind.is_on or bool(paths),
        public_paths=paths,
        public_url=public_url,
        host=_parsed(fields.HOST, given),
        port=_parsed(fields.PORT, given),
        uds=_parsed(fields.UDS, given),
        trusted_proxies=_parsed(fields.TRUSTED_PROXIES, given),
        allow_origins=_parsed(fields.ALLOW_ORIGIN, given),
        origin_check=_parsed(fields.ORIGIN_CHECK, given),
        embed_in=_parsed(fields.EMBED_IN, given),
        mount_paths=_parsed(fields.MOUNT_PATH, given),
        config_out=_parsed(fields.CONFIG_OUT, given),
        self_check=_parsed(fields.SELF_CHECK, given),
        self_check_token=_token(environ),
        verify=_verify(public_url, given),
        transport=_parsed(fields.TRANSPORT, given),
        drain_timeout_s=_parsed(fields.DRAIN_TIMEOUT, given),
        warm_up=_parsed(fields.WARM_UP, given),
        max_sessions=_parsed(fields.MAX_SESSIONS, given),
        log_format=_parsed(fields.LOG_FORMAT, given),
        access_log=_parsed(fields.ACCESS_LOG, given),
        sources=sources,
    )


def _parsed(field: Field[T], given: Mapping[str, tuple[Given, ...]]) -> T:
    places = given[field.name]
    if not places or not places[0].texts:
        return field.default
    try:
        return field.parse(places[0].texts)
    except UsageError as exc:
        where = places[0].where
        if places[0].kind is SourceKind.PROJECT_FILE:
            where += f" {field.name}"
        raise UsageError(f"{where}: {exc.message}", hint=exc.hint) from exc


def _token(environ: Mapping[str, str]) -> str | None:
    text = environ.get(SELF_CHECK_TOKEN, "")
    if not text.strip():
        return None
    try:
        return parse_self_check_token(text)
    except UsageError as exc:
        raise UsageError(f"{SELF_CHECK_TOKEN}: {exc.message}", hint=exc.hint) from exc


def _verify(public_url: PublicUrl | None, given: Mapping[str, tuple[Given, ...]]) -> bool:
    is_asked = _parsed(fields.VERIFY, given)
    if is_asked and public_url is None:
        raise UsageError(
            f"{_named('verify', given['verify'][0])} needs to know the public URL to dial.",
            hint="Add --public-url https://example.com/streamlitApp",
        )
    return is_asked


def _source_of(places: tuple[Given, ...]) -> Source:
    if not places:
        return Source(kind=SourceKind.DEFAULT, where="default")
    shadowed = tuple((place.where, place.text) for place in places[1:])
    return Source(kind=places[0].kind, where=places[0].where, shadowed=shadowed)


def _settle_listener(given: Mapping[str, tuple[Given, ...]]) -> dict[str, tuple[Given, ...]]:
    """Let the stronger place decide between a Unix socket and an address with a port.

    An image may set STLAUNCH_PORT and a user still ask for `--uds`; the loser becomes a value
    that was shadowed. Both in the same place contradict each other.
    """
    socket = given["uds"]
    address = sorted((*given["host"], *given["port"]), key=lambda place: _KINDS.index(place.kind))
    if not socket or not address:
        return dict(given)
    ours, theirs = _KINDS.index(socket[0].kind), _KINDS.index(address[0].kind)
    if ours == theirs:
        raise UsageError(
            f"{_named('uds', socket[0])} and {_address_name(given, address[0])} contradict each "
            "other: the app listens either on a Unix socket or on an address and a port.",
            hint="Give one of them.",
        )
    winner = socket[0] if ours < theirs else address[0]
    losers = ("host", "port") if ours < theirs else ("uds",)
    silenced = {name: (replace(winner, texts=()), *given[name]) for name in losers if given[name]}
    return {**given, **silenced}


def _address_name(given: Mapping[str, tuple[Given, ...]], place: Given) -> str:
    return _named("host" if place in given["host"] else "port", place)


def _named(name: str, place: Given) -> str:
    return f"{name} in {place.where}" if place.kind is SourceKind.PROJECT_FILE else place.where


def _public_url(
    behind: BehindProxy, explicit: PublicUrl | None, sources: Mapping[str, Source]
) -> PublicUrl | None:
    """Return the one public URL that both settings agree on.

    `--public-url https://example.com` next to `--behind-proxy /app` gives the host alone; the
    path is then the first one of `--behind-proxy`.
    """
    if explicit is None:
        return behind.url
    names_path = bool(explicit.base_path.value)
    fits = (
        (behind.url is None or behind.url.origin == explicit.origin)
        and (not behind.paths or not names_path or explicit.base_path in behind.paths)
        and (behind.url is None or not names_path or behind.url == explicit)
    )
    is_off = not behind.is_on and sources["behind_proxy"].kind is not SourceKind.DEFAULT
    if not fits or (is_off and names_path):
        said = behind.url or ", ".join(map(str, behind.paths)) or "off"
        raise UsageError(
            f"{_where('public_url', sources)} ({explicit}) and "
            f"{_where('behind_proxy', sources)} ({said}) contradict each other.",
            hint="Give the same address to both, or leave one of them out.",
        )
    if names_path or not behind.paths:
        return explicit
    first: BasePath = behind.url.base_path if behind.url else behind.paths[0]
    return PublicUrl(explicit.origin, first)


def _where(name: str, sources: Mapping[str, Source]) -> str:
    source = sources[name]
    return f"{name} in {source.where}" if source.kind is SourceKind.PROJECT_FILE else source.where
