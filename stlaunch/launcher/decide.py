"""Decide Streamlit's options for one launch; pure, and the one place where that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stlaunch.base_path import BasePath
from stlaunch.origin import Origin
from stlaunch.settings.model import Settings, SourceKind
from stlaunch.streamlit_adapter import UserOption

DEFAULT_PORT = 8501


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What stlaunch sets, and what the user should know about it.

    Attributes:
        options: Streamlit option -> value; exactly what goes into the generated config.toml.
        public_paths: where the app is reached, as far as known.
        base_source: where the public path comes from.
        host: the address to listen on.
        port: the port; 0 for any free one.
        warnings: protections that the user switched off, values that were overruled.
    """

    options: Mapping[str, Any]
    public_paths: tuple[BasePath, ...]
    base_source: str
    host: str
    port: int
    warnings: tuple[str, ...]


def decide_options(
    settings: Settings,
    user: Mapping[str, UserOption],
    *,
    in_container: bool,
    takes_base_path: bool,
) -> Decisions:
    """Return the options; what the user set explicitly for Streamlit stays as it is.

    Args:
        settings: stlaunch's own.
        user: what the user set in Streamlit's files, variables and flags.
        in_container: all interfaces are then listened on, unless somebody said otherwise.
        takes_base_path: whether the app takes its path from `server.baseUrlPath` (a script or
            an `st.App`) or from ASGI's root_path.
    """
    warnings: list[str] = []
    paths, source = _public_paths(settings, user, warnings)
    host, port = _address(settings, user, in_container=in_container, warnings=warnings)
    options: dict[str, Any] = {
        "server.baseUrlPath": paths[0].decoded.strip("/") if takes_base_path and paths else "",
        "server.address": host,
        "server.port": port,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.headless": True,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
    }
    origins = _origins(settings, user)
    if origins:
        options["server.corsAllowedOrigins"] = origins
    if settings.public_url:
        options["browser.serverAddress"] = settings.public_url.origin.host
        options["browser.serverPort"] = settings.public_url.origin.port
    ours = {"server.baseUrlPath", "server.address", "server.port", "server.corsAllowedOrigins"}
    for key in [key for key in options if key in user and key not in ours]:
        del options[key]  # the user's own value stays in force, from the user's own place
    warnings.extend(_protection_warnings(user))
    return Decisions(
        options=options,
        public_paths=paths,
        base_source=source,
        host=host,
        port=port,
        warnings=tuple(warnings),
    )


def _public_paths(
    settings: Settings, user: Mapping[str, UserOption], warnings: list[str]
) -> tuple[tuple[BasePath, ...], str]:
    given = user.get("server.baseUrlPath")
    own = BasePath.parse(str(given.value)) if given and str(given.value).strip("/") else None
    if settings.public_paths:
        name = "behind_proxy"
        if settings.sources[name].kind is SourceKind.DEFAULT:
            name = "public_url"
        where = settings.sources[name].where
        if own is not None and given is not None and own not in settings.public_paths:
            warnings.append(
                f"{where} ({settings.public_paths[0]}) overrules server.baseUrlPath "
                f"({own}) from {given.where}."
            )
        return settings.public_paths, where
    if own is not None and given is not None:
        return (own,), f"server.baseUrlPath in {given.where}"
    return (), "found out from requests" if settings.is_behind_proxy else "none"


def _address(
    settings: Settings,
    user: Mapping[str, UserOption],
    *,
    in_container: bool,
    warnings: list[str],
) -> tuple[str, int]:
    host, port = user.get("server.address"), user.get("server.port")
    for name, ours, theirs in (("host", settings.host, host), ("port", settings.port, port)):
        if ours is not None and theirs is not None and theirs.value != ours:
            where = settings.sources[name].where
            warnings.append(f"{where} ({ours}) overrules {theirs.value} from {theirs.where}.")
    default = "0.0.0.0" if in_container else "127.0.0.1"
    chosen_host = settings.host or (str(host.value) if host and host.value else default)
    chosen_port = port.value if settings.port is None and port else settings.port
    return chosen_host, int(DEFAULT_PORT if chosen_port is None else chosen_port)


def _origins(settings: Settings, user: Mapping[str, UserOption]) -> list[str]:
    listed = user.get("server.corsAllowedOrigins")
    own: list[Origin] = list(settings.allow_origins)
    if settings.public_url:
        own.insert(0, settings.public_url.origin)
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
