"""The settings of one launch, as facts; how they are found stands in `resolve`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stlaunch.forwarded.trusted_proxies import TrustedProxies
    from stlaunch.urls.base_path import BasePath
    from stlaunch.urls.origin import Origin, OriginCheck, PublicUrl


class Transport(StrEnum):
    """How a page's connection may be carried."""

    AUTO = "auto"
    """A WebSocket; over HTTP requests where that does not work."""
    WEBSOCKET = "websocket"
    """A WebSocket alone."""
    HTTP = "http"
    """HTTP requests alone; the WebSocket is never tried."""


class LogFormat(StrEnum):
    """What a log line looks like."""

    TEXT = "text"
    """For people."""
    JSON = "json"
    """One object a line, for programs."""


class SelfCheck(StrEnum):
    """Who may see more of the self-check than health and ready."""

    PUBLIC = "public"
    """Everybody; what another client did is never shown."""
    LOCAL = "local"
    """Requests from this machine that no proxy has forwarded."""
    TOKEN = "token"  # noqa: S105 - the name of a choice
    """Whoever sends the token."""
    OFF = "off"
    """Nobody: the diagnostic endpoints do not exist."""


class SourceKind(Enum):
    """The kind of place that a value came from, the strongest first."""

    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    PROJECT_FILE = "project file"
    STREAMLIT_CONFIG = "Streamlit configuration"
    PLATFORM = "platform"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value came from, and what it won over."""

    kind: SourceKind
    where: str
    """`--port`, `STLAUNCH_PORT`, `/app/pyproject.toml [tool.stlaunch]` or `default`."""
    shadowed: tuple[tuple[str, str], ...] = ()
    """Place and text of each weaker value, the strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the user decided about a launch, parsed; None means not decided."""

    target: str
    """The app as the user named it; see `resolve_target`."""
    script_args: tuple[str, ...]
    streamlit_flags: tuple[tuple[str, str], ...]
    """Streamlit's own flags, raw and in order: `("server.headless", "true")`."""
    is_behind_proxy: bool
    public_paths: tuple[BasePath, ...]
    """Empty: not known (with `is_behind_proxy`: to be found out)."""
    public_url: PublicUrl | None
    host: str | None
    port: int | None
    """0 asks for any free port."""
    uds: Path | None
    trusted_proxies: TrustedProxies | None
    allow_origins: tuple[Origin, ...]
    origin_check: OriginCheck
    embed_in: tuple[Origin, ...]
    mount_paths: tuple[BasePath, ...]
    config_out: Path | None
    self_check: SelfCheck
    transport: Transport
    drain_timeout_s: float
    warm_up: bool
    max_sessions: int | None
    """None: as many as come."""
    log_format: LogFormat
    access_log: bool
    verify: bool
    """Dial the public URL when ready, and log what comes of it."""
    sources: Mapping[str, Source]
    """By field name (`port`, `allow_origin`), one for every field."""
    self_check_token: str | None = field(default=None, repr=False)
    """What `--self-check token` asks for; None: one is made at start."""
