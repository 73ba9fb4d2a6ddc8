"""Choose Streamlit's options from the settings, and warn about the user's own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stlaunch.diagnostics.protections import PROTECTIONS, protection_off
from stlaunch.platforms.advice import AppLimits, lowered_ping_s
from stlaunch.settings.model import LogFormat, Setting, Settings
from stlaunch.streamlit_adapter import UserOption
from stlaunch.urls.origin import Origin

_MEBIBYTE = 1024 * 1024
_MEGABYTE = 1_000_000
_OURS = frozenset(
    {"server.baseUrlPath", "server.address", "server.port", "server.corsAllowedOrigins"}
)
"""Resolved from the user's options too, so the result is what applies."""


def streamlit_options(
    settings: Settings, user: Mapping[str, UserOption], *, takes_base_path: bool
) -> dict[str, Any]:
    """Return the options; any that the user set explicitly for Streamlit stay as they are.

    Args:
        settings: stlaunch's own, resolved.
        user: what the user set in Streamlit's files, variables and flags.
        takes_base_path: whether the app takes its path from `server.baseUrlPath` (a script or
            an `st.App`) or from ASGI's root_path.
    """
    paths, url = settings.public_paths, settings.public_url.value
    options: dict[str, Any] = {
        "server.baseUrlPath": paths[0].decoded.strip("/") if takes_base_path and paths else "",
        "server.address": settings.host.value,
        "server.port": settings.port.value,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.headless": True,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "runner.postScriptGC": False,  # stlaunch.process.garbage collects at a quiet moment
    }
    if settings.log_format.value is LogFormat.JSON:
        # rich prints the script's tracebacks without going through any log handler.
        options["logger.enableRich"] = False
    origins = _origins(settings, user)
    if origins:
        options["server.corsAllowedOrigins"] = origins
    if url:
        options["browser.serverAddress"] = url.origin.host
        options["browser.serverPort"] = url.origin.port
    # The user's own value stays in force, from where the user set it.
    options = {key: value for key, value in options.items() if key in _OURS or key not in user}
    ping_s = lowered_ping_s(settings.placement, app_limits(user).ping_s)
    if ping_s is not None:
        options["server.websocketPingInterval"] = ping_s
    return options


def option_warnings(settings: Settings, user: Mapping[str, UserOption]) -> list[str]:
    """Return warnings about options that were overruled or are dangerous."""
    warnings = []
    path = user.get("server.baseUrlPath")
    if path is not None and settings.public_paths and settings.behind_proxy.is_chosen:
        listed = str(path.value or "").strip("/")
        if listed and all(known.decoded.strip("/") != listed for known in settings.public_paths):
            warnings.append(
                f"{settings.behind_proxy.where} ({settings.public_paths[0]}) overrides "
                f"server.baseUrlPath (/{listed}) from {path.where}, below which requests may "
                f"still arrive, as with --mount-path."
            )
    if settings.uds.value is None:
        warnings += _overruled(settings.host, user.get("server.address"))
        warnings += _overruled(settings.port, user.get("server.port"))
    return [*warnings, *_protection_warnings(user)]


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


def _overruled(setting: Setting[Any], option: UserOption | None) -> list[str]:
    if option is None or option.value in (None, "") or not setting.is_chosen:
        return []
    if setting.where == option.where or setting.value == option.value:
        return []
    return [f"{setting.where} ({setting.value}) overrides {option.value} from {option.where}."]


def _origins(settings: Settings, user: Mapping[str, UserOption]) -> list[str]:
    listed = user.get("server.corsAllowedOrigins")
    url = settings.public_url.value
    own: list[Origin] = [*([url.origin] if url else []), *settings.allow_origin.value]
    if not own:
        return []
    return list(dict.fromkeys([*(listed.value if listed else ()), *map(str, own)]))


def _protection_warnings(user: Mapping[str, UserOption]) -> list[str]:
    found = [
        protection_off(key, user[key].where)
        for key in PROTECTIONS
        if key in user and user[key].value is False
    ]
    return [f"{finding.code} {finding.title}. {finding.fix}" for finding in found]
