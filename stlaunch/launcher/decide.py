"""Decide Streamlit's options for one launch; pure, and the one place where that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stlaunch.diagnostics.finding import Finding
from stlaunch.forwarded import TrustedProxies
from stlaunch.launcher.precedence import Candidate, Settled, from_streamlit, settle, shown
from stlaunch.platforms import Placement, PlatformValue
from stlaunch.platforms.advice import AppLimits, lowered_ping_s, trusted_by_default
from stlaunch.settings.model import LogFormat, Settings, Source, SourceKind
from stlaunch.streamlit_adapter import UserOption
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin, PublicUrl

DEFAULT_PORT = 8501
_MEBIBYTE = 1024 * 1024
_MEGABYTE = 1_000_000
_UNASKED = frozenset({SourceKind.DEFAULT, SourceKind.PLATFORM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What stlaunch sets, and what the user should know about it.

    Attributes:
        options: Streamlit option -> value; exactly what goes into the generated config.toml.
        public_paths: where the app is reached, as far as known.
        mount_paths: other paths that may arrive.
        is_behind_proxy: whether the public path, where it is not known, is to be found out.
        public_url: the user's, else the platform's.
        uds: the Unix socket to listen on instead; None for address and port.
        host: the address to listen on.
        port: the port; 0 for any free one.
        trusted: whose forwarding headers are believed.
        is_embedded: whether the app has to work in a frame of another site.
        sources: by field name, where each value came from and what it shadows.
        findings: what the surroundings make a person want to know.
        warnings: protections that the user switched off, values that were overruled.
    """

    options: Mapping[str, Any]
    public_paths: tuple[BasePath, ...]
    mount_paths: tuple[BasePath, ...]
    is_behind_proxy: bool
    public_url: PublicUrl | None
    uds: Path | None
    host: str
    port: int
    trusted: TrustedProxies
    is_embedded: bool
    sources: Mapping[str, Source]
    warnings: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def base_source(self) -> str:
        """Where the public path comes from."""
        if not self.public_paths:
            return "found out from requests" if self.is_behind_proxy else "none"
        source = self.sources["behind_proxy"]
        if source.kind is SourceKind.DEFAULT:
            source = self.sources["public_url"]
        return source.where


def asked_port(settings: Settings, user: Mapping[str, UserOption]) -> int | None:
    """Return the port that the user asked for in any place; None leaves it to the platform."""
    found = settle(
        settings.sources["port"], settings.port, _integers(user, "server.port"), default=-1
    )
    return None if found.value < 0 else found.value


def decide_options(
    settings: Settings,
    user: Mapping[str, UserOption],
    *,
    placement: Placement,
    takes_base_path: bool,
) -> Decisions:
    """Return the options; what the user set explicitly for Streamlit stays as it is.

    Args:
        settings: stlaunch's own.
        user: what the user set in Streamlit's files, variables and flags.
        placement: what the platform tells.
        takes_base_path: whether the app takes its path from `server.baseUrlPath` (a script or
            an `st.App`) or from ASGI's root_path.
    """
    warnings: list[str] = []
    sources = dict(settings.sources)
    paths, sources["behind_proxy"] = _public_paths(settings, user, placement, warnings)
    host = settle(
        sources["host"],
        settings.host,
        [*_texts(user, "server.address"), *_from_platform(placement.host)],
        "127.0.0.1",
    )
    port = settle(
        sources["port"],
        settings.port,
        [*_integers(user, "server.port"), *_from_platform(placement.port)],
        DEFAULT_PORT,
    )
    is_address_asked = not {host.source.kind, port.source.kind} <= _UNASKED
    told_uds: list[Candidate[Path | None]] = _from_platform(placement.uds)
    uds = settle(sources["uds"], settings.uds, [] if is_address_asked else told_uds, None)
    sources |= {"host": host.source, "port": port.source, "uds": uds.source}
    told_url: list[Candidate[PublicUrl | None]] = _from_platform(placement.public_url)
    own_url = sources["public_url"]
    if settings.public_url and own_url.kind is SourceKind.DEFAULT:
        own_url = settings.sources["behind_proxy"]  # which may hold the whole address
    url = settle(own_url, settings.public_url, told_url, None)
    sources["public_url"] = url.source
    public_url = url.value
    if public_url and paths and public_url.base_path not in paths:
        public_url = PublicUrl(public_url.origin, paths[0])
    mounts = settle(
        sources["mount_path"],
        settings.mount_paths or None,
        _from_platform(placement.mount_paths),
        (),
    )
    sources["mount_path"] = mounts.source
    trusted = _trusted(settings, placement)
    sources["trusted_proxies"] = trusted.source
    framed = placement.framed_by
    told_frames: list[Candidate[tuple[Origin, ...]]] = []
    if framed:
        told_frames.append(Candidate(SourceKind.PLATFORM, framed.where, (framed.value,)))
    frames = settle(sources["embed_in"], settings.embed_in or None, told_frames, ())
    sources["embed_in"] = frames.source
    _warn_of_overruling(host, user.get("server.address"), warnings)
    _warn_of_overruling(port, user.get("server.port"), warnings)
    options: dict[str, Any] = {
        "server.baseUrlPath": paths[0].decoded.strip("/") if takes_base_path and paths else "",
        "server.address": host.value,
        "server.port": port.value,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.headless": True,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        # rich prints the script's tracebacks past every log handler.
        **({"logger.enableRich": False} if settings.log_format is LogFormat.JSON else {}),
    }
    origins = _origins(settings, user, public_url)
    if origins:
        options["server.corsAllowedOrigins"] = origins
    if public_url:
        options["browser.serverAddress"] = public_url.origin.host
        options["browser.serverPort"] = public_url.origin.port
    ours = {"server.baseUrlPath", "server.address", "server.port", "server.corsAllowedOrigins"}
    for key in [key for key in options if key in user and key not in ours]:
        del options[key]  # the user's own value stays in force, from the user's own place
    ping_s = lowered_ping_s(placement, app_limits(user).ping_s)
    if ping_s is not None:
        options["server.websocketPingInterval"] = ping_s
    warnings.extend(_protection_warnings(user))
    return Decisions(
        options=options,
        public_paths=paths,
        mount_paths=mounts.value,
        is_behind_proxy=_is_behind_proxy(settings, placement),
        public_url=public_url,
        uds=uds.value,
        host=host.value,
        port=port.value,
        trusted=trusted.value,
        is_embedded=bool(frames.value),
        sources=sources,
        warnings=tuple(warnings),
    )


def app_limits(user: Mapping[str, UserOption]) -> AppLimits:
    """Return the app's own limits, as the user set them for Streamlit."""
    usual = AppLimits()
    ping, upload, message = (
        user[key].value if key in user else None
        for key in (
            "server.websocketPingInterval",
            "server.maxUploadSize",
            "server.maxMessageSize",
        )
    )
    return AppLimits(
        ping_s=int(ping or usual.ping_s),
        upload_bytes=int(upload) * _MEBIBYTE if upload else usual.upload_bytes,
        message_bytes=int(message) * _MEGABYTE if message else usual.message_bytes,
    )


def _is_off(settings: Settings) -> bool:
    is_said = settings.sources["behind_proxy"].kind is not SourceKind.DEFAULT
    return is_said and not settings.is_behind_proxy


def _is_behind_proxy(settings: Settings, placement: Placement) -> bool:
    if settings.is_behind_proxy:
        return True
    is_decided = _is_off(settings) or settings.public_url is not None
    return not is_decided and placement.is_behind_proxy


def _public_paths(
    settings: Settings,
    user: Mapping[str, UserOption],
    placement: Placement,
    warnings: list[str],
) -> tuple[tuple[BasePath, ...], Source]:
    own = settings.sources["behind_proxy"]
    listed: list[Candidate[tuple[BasePath, ...]]] = [
        Candidate(found.kind, found.where, (BasePath.parse(text),))
        for found in from_streamlit(user, "server.baseUrlPath")
        if (text := str(found.value).strip("/"))
    ]
    others = list(listed)
    told = placement.base_paths
    is_open = not _is_off(settings) and (settings.is_behind_proxy or settings.public_url is None)
    if told and is_open and any(path.value for path in told.value):
        others.append(Candidate(SourceKind.PLATFORM, told.where, told.value))
    if not settings.public_paths:
        found = settle(Source(kind=SourceKind.DEFAULT, where=own.where), None, others, ())
        return found.value, found.source if others else own
    if own.kind is SourceKind.DEFAULT:
        own = settings.sources["public_url"]
    warnings.extend(
        f"{own.where} ({settings.public_paths[0]}) overrules server.baseUrlPath "
        f"({theirs.value[0]}) from {theirs.where}."
        for theirs in listed
        if theirs.value[0] not in settings.public_paths
    )
    weaker = [(other.where, shown(other.value)) for other in others]
    return settings.public_paths, replace(own, shadowed=(*own.shadowed, *weaker))


def _warn_of_overruling(
    found: Settled[Any], option: UserOption | None, warnings: list[str]
) -> None:
    if option is None or found.source.where == option.where or option.value == found.value:
        return
    is_ours = found.source.kind not in {SourceKind.DEFAULT, SourceKind.PLATFORM}
    if is_ours and option.value not in (None, ""):
        where = found.source.where
        warnings.append(f"{where} ({found.value}) overrules {option.value} from {option.where}.")


def _trusted(settings: Settings, placement: Placement) -> Settled[TrustedProxies]:
    told = placement.peers
    value = trusted_by_default(placement)
    others = [Candidate(SourceKind.PLATFORM, told.where, value)] if told else []
    return settle(settings.sources["trusted_proxies"], settings.trusted_proxies, others, value)


def _from_platform(told: PlatformValue[Any] | None) -> list[Candidate[Any]]:
    return [Candidate(SourceKind.PLATFORM, told.where, told.value)] if told else []


def _texts(user: Mapping[str, UserOption], key: str) -> list[Candidate[str]]:
    return [
        Candidate(found.kind, found.where, str(found.value)) for found in from_streamlit(user, key)
    ]


def _integers(user: Mapping[str, UserOption], key: str) -> list[Candidate[int]]:
    return [
        Candidate(found.kind, found.where, int(str(found.value)))
        for found in from_streamlit(user, key)
    ]


def _origins(
    settings: Settings, user: Mapping[str, UserOption], public_url: PublicUrl | None
) -> list[str]:
    listed = user.get("server.corsAllowedOrigins")
    own: list[Origin] = list(settings.allow_origins)
    if public_url:
        own.insert(0, public_url.origin)
    if not own:
        return []
    return list(dict.fromkeys([*(listed.value if listed else ()), *map(str, own)]))


def _protection_warnings(user: Mapping[str, UserOption]) -> list[str]:
    meanings = {
        "server.enableCORS": "every website may open this app's WebSocket",
        "server.enableXsrfProtection": "every website may upload files to this app",
    }
    return [
        f"{key} is false ({user[key].where}): {meaning}. stlaunch works with it switched on; "
        "remove that line."
        for key, meaning in meanings.items()
        if key in user and user[key].value is False
    ]
