"""Read what a proxy must match from the app's own configuration, without Streamlit.

Only what a proxy has to know is read here, as Streamlit reads it: the user's file, the file of the
folder that the app is started in, the file next to the script, then the variables.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_defaults

_MAX_MB = 1_000_000
_MAX_S = 3600


@dataclass(frozen=True, slots=True)
class UserOption:
    """One of Streamlit's options that the user set: the value, and the file, variable or flag."""

    value: Any
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """What the proxy must fit.

    Attributes:
        port: where the app listens.
        max_upload_mb: `server.maxUploadSize`.
        ping_interval_s: `server.websocketPingInterval`.
        identity_headers: the headers that `server.trustedUserHeaders` trusts.
        has_login: secrets.toml has what `st.login` needs.
        place: the options that say where the app listens and is reached, by key; the resolver
            of settings ranks them.
    """

    port: int = streamlit_defaults.PORT
    max_upload_mb: int = streamlit_defaults.MAX_UPLOAD_MB
    ping_interval_s: int = streamlit_defaults.PING_INTERVAL_S
    identity_headers: tuple[str, ...] = ()
    has_login: bool = False
    place: Mapping[str, UserOption] = field(default_factory=dict)


def read_app_facts(
    script: Path | None, *, cwd: Path, home: Path | None, environ: Mapping[str, str]
) -> AppFacts:
    """Read the Streamlit configuration that the app would get.

    Raises:
        UsageError: for a file that is not TOML, or an impossible value.
    """
    places = [home, cwd, script.parent if script else None]
    folders = list(dict.fromkeys(folder for folder in places if folder))
    server: dict[str, tuple[object, str]] = {}
    for folder in folders:
        file = folder / ".streamlit" / "config.toml"
        server |= {name: (value, f"{file} server.{name}") for name, value in _server_of(file)}
    for name, variable in _VARIABLES.items():
        if environ.get(variable, "").strip():
            server[name] = (environ[variable], variable)
    return AppFacts(
        port=_number(server, "port", streamlit_defaults.PORT, 65535),
        max_upload_mb=_number(server, "maxUploadSize", streamlit_defaults.MAX_UPLOAD_MB, _MAX_MB),
        ping_interval_s=_number(
            server, "websocketPingInterval", streamlit_defaults.PING_INTERVAL_S, _MAX_S
        ),
        identity_headers=_headers(server),
        has_login=any(_has_auth(folder / ".streamlit" / "secrets.toml") for folder in folders),
        place={f"server.{name}": UserOption(*server[name]) for name in _OF_PLACE if name in server},
    )


_OF_PLACE = ("address", "baseUrlPath", "port")
_VARIABLES = {
    "address": "STREAMLIT_SERVER_ADDRESS",
    "baseUrlPath": "STREAMLIT_SERVER_BASE_URL_PATH",
    "port": "STREAMLIT_SERVER_PORT",
    "maxUploadSize": "STREAMLIT_SERVER_MAX_UPLOAD_SIZE",
    "websocketPingInterval": "STREAMLIT_SERVER_WEBSOCKET_PING_INTERVAL",
    "trustedUserHeaders": "STREAMLIT_SERVER_TRUSTED_USER_HEADERS",
}


def _server_of(file: Path) -> Sequence[tuple[str, object]]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("server", {})
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}.") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(
            f"{file} is not valid TOML: {exc}.", hint="Streamlit cannot read it either."
        ) from exc
    if not isinstance(table, dict):
        raise UsageError(f"{file}: server is not a table.", hint="Begin it with [server].")
    return [(name, value) for name, value in table.items() if name in _VARIABLES]


def _has_auth(file: Path) -> bool:
    """Return whether there is an `[auth]`; nothing else of the file is kept, or shown."""
    try:
        return bool(tomllib.loads(file.read_text(encoding="utf-8")).get("auth"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def _number(server: Mapping[str, tuple[object, str]], name: str, default: int, highest: int) -> int:
    value, where = server.get(name, (default, ""))
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise UsageError(f"{where}: {text!r} is not a whole number.")
    if not 0 < int(text) <= highest:
        raise UsageError(f"{where}: {text} is not between 1 and {highest}.")
    return int(text)


def _headers(server: Mapping[str, tuple[object, str]]) -> tuple[str, ...]:
    value, where = server.get("trustedUserHeaders", ({}, ""))
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise UsageError(
                f"{where}: {value!r} is not JSON.", hint='Write {"X-User": "name"}.'
            ) from exc
    if not isinstance(value, dict):
        raise UsageError(f"{where} is not a table of headers.", hint='Write {"X-User": "name"}.')
    return tuple(map(str, value))
