"""The settings, as values with their sources."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from stlaunch.forwarded.trusted_proxies import TrustedProxies
    from stlaunch.platforms import Placement
    from stlaunch.urls.base_path import BasePath
    from stlaunch.urls.origin import Origin, OriginCheck, PublicUrl
    from stlaunch.urls.public_paths import PrefixRule


T_co = TypeVar("T_co", covariant=True)


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
    """Requests with the token."""
    OFF = "off"
    """Nobody: the diagnostic endpoints do not exist."""


class SourceKind(Enum):
    """The kind of place that a value came from, the strongest first."""

    CALL = "call"
    """`stlaunch.launch(port=8502)`."""
    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    PROJECT_FILE = "project file"
    STREAMLIT_CONFIG = "Streamlit configuration"
    PLATFORM = "platform"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T_co]):
    """The value of one setting, where it comes from, and what it overrides."""

    value: T_co
    source: SourceKind = SourceKind.DEFAULT
    where: str = "default"
    """`--port`, `STLAUNCH_PORT`, `/app/pyproject.toml [tool.stlaunch]` or `default`."""
    shadowed: tuple[tuple[str, str], ...] = ()
    """Place and text of each weaker value, the strongest first."""

    @property
    def is_chosen(self) -> bool:
        """Whether a person chose the value, rather than the platform or stlaunch."""
        return self.source not in {SourceKind.PLATFORM, SourceKind.DEFAULT}


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindProxy:
    """Whether the app is behind a proxy, below which paths, and at which address."""

    is_on: bool = False
    paths: tuple[BasePath, ...] = ()
    """Empty: not known; with `is_on` they are detected from requests."""
    url: PublicUrl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the app listens and is reached: the settings that a platform may decide, too."""

    behind_proxy: Setting[BehindProxy]
    public_url: Setting[PublicUrl | None]
    host: Setting[str]
    port: Setting[int]
    """0 asks for any free one."""
    uds: Setting[Path | None]
    trusted_proxies: Setting[TrustedProxies]
    embed_in: Setting[tuple[Origin, ...]]
    mount_path: Setting[tuple[BasePath, ...]]
    placement: Placement
    """Everything that the platform says, limits included."""

    @property
    def public_paths(self) -> tuple[BasePath, ...]:
        """The public paths, as far as known."""
        return self.behind_proxy.value.paths

    @property
    def is_behind_proxy(self) -> bool:
        """Whether the public path, where it is not known, is detected from requests."""
        return self.behind_proxy.value.is_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Place):
    """Every setting, resolved; the attributes are named like the fields."""

    prefix: Setting[PrefixRule]
    allow_origin: Setting[tuple[Origin, ...]]
    origin_check: Setting[OriginCheck]
    config_out: Setting[Path | None]
    self_check: Setting[SelfCheck]
    verify: Setting[bool]
    """Dial the public URL when ready, and log the result."""
    transport: Setting[Transport]
    drain_timeout: Setting[float]
    """In seconds."""
    warm_up: Setting[bool]
    max_sessions: Setting[int | None]
    """None: no limit."""
    log_format: Setting[LogFormat]
    access_log: Setting[bool]
    self_check_token: str | None = field(default=None, repr=False)
    """What `--self-check token` asks for; None: one is made at start."""
