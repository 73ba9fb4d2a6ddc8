"""The table of settings: flag, variable, project key, parser, default and help of each.

Nothing is looked up here: `read` collects the values, `resolve` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from stlaunch.forwarded.trusted_proxies import TrustedProxies
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings import parsers
from stlaunch.settings.model import BehindProxy, LogFormat, SelfCheck, Transport
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.origin import OriginCheck
from stlaunch.urls.public_paths import PrefixRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stlaunch.urls.base_path import BasePath
    from stlaunch.urls.origin import Origin, PublicUrl

ENV_PREFIX = "STLAUNCH_"
SELF_CHECK_TOKEN = ENV_PREFIX + "SELF_CHECK_TOKEN"
"""A secret, so it is a variable alone: others can read command lines and project files."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Generic[T_co]):
    """One setting; its flag, its variable and its project key follow from its name."""

    name: str
    metavar: str
    help: str
    parse: Callable[[Sequence[str]], T_co]
    """Takes every text that one place gave, in order; raises UsageError."""
    default: T_co
    """None: the platform decides, else `resolve`."""
    multiple: bool = False
    """May be repeated; a list in the project file, commas or spaces in the variable."""
    value_is_optional: bool = False
    """The flag needs no value (`--behind-proxy`)."""
    choices: tuple[str, ...] = ()
    also_takes: tuple[type, ...] = ()
    """Types besides text that the project file may use."""

    @property
    def flag(self) -> str:
        """`--behind-proxy`."""
        return "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        """`STLAUNCH_BEHIND_PROXY`."""
        return ENV_PREFIX + self.name.upper()


BEHIND_PROXY: Field[BehindProxy] = Field(
    name="behind_proxy",
    metavar="[PATH|URL]",
    help="Run behind a reverse proxy, below this path (/streamlitApp) or at this address "
    "(https://example.com/streamlitApp). The proxy may strip the path or keep it. Without a value, "
    "stlaunch detects the path. Repeat for several paths.",
    parse=parsers.parse_behind_proxy,
    default=BehindProxy(),
    multiple=True,
    value_is_optional=True,
    also_takes=(bool,),
)
PUBLIC_URL: Field[PublicUrl | None] = Field(
    name="public_url",
    metavar="URL",
    help="The address in the browser's address bar. All other origins are then refused, except "
    "those in --allow-origin.",
    parse=parsers.parse_public_url,
    default=None,
)
HOST: Field[str | None] = Field(
    name="host",
    metavar="ADDRESS",
    help="Listen on this address. Default: Streamlit's server.address, the platform's (stlaunch "
    "detect), 0.0.0.0 in a container, else 127.0.0.1.",
    parse=parsers.parse_host,
    default=None,
)
PORT: Field[int | None] = Field(
    name="port",
    metavar="PORT",
    help="Listen on this port; 0 picks a free one. Default: Streamlit's server.port, "
    f"the platform's port, or {streamlit_defaults.PORT}.",
    parse=parsers.parse_port,
    default=None,
    also_takes=(int,),
)
UDS: Field[Path | None] = Field(
    name="uds",
    metavar="FILE",
    help="Listen on this Unix socket instead of an address and a port.",
    parse=parsers.parse_socket_path,
    default=None,
)
TRUSTED_PROXIES: Field[TrustedProxies | None] = Field(
    name="trusted_proxies",
    metavar="WHO",
    help="Trust forwarding headers from these peers: addresses, networks (10.0.0.0/8), unix, "
    "private or none, separated by commas. Default: loopback; in a container also private "
    "networks.",
    parse=TrustedProxies.parse,
    default=None,
    multiple=True,
)
ALLOW_ORIGIN: Field[tuple[Origin, ...]] = Field(
    name="allow_origin",
    metavar="ORIGIN",
    help="Allow pages of this origin (https://portal.example.com) to open the app's WebSocket. "
    "Repeatable.",
    parse=parsers.parse_origins,
    default=(),
    multiple=True,
)
ORIGIN_CHECK: Field[OriginCheck] = Field(
    name="origin_check",
    metavar="proof|strict",
    help="If a proxy rewrites Host: proof accepts a browser that proves it runs the app's own "
    "page; strict accepts only listed origins and the app's own. Default: proof.",
    parse=parsers.parse_origin_check,
    default=OriginCheck.PROOF,
    choices=tuple(OriginCheck),
)
EMBED_IN: Field[tuple[Origin, ...]] = Field(
    name="embed_in",
    metavar="ORIGIN",
    help="Allow pages of this origin (https://portal.example.com), and no others, to show the app "
    "in a frame; the browser then keeps the app's cookies there. Needs https. Repeatable.",
    parse=parsers.parse_origins,
    default=(),
    multiple=True,
)
MOUNT_PATH: Field[tuple[BasePath, ...]] = Field(
    name="mount_path",
    metavar="PATH",
    help="Also serve requests that arrive below this path, for a proxy that strips only part of "
    "the public path. Repeatable.",
    parse=parsers.parse_base_paths,
    default=(),
    multiple=True,
)
PREFIX: Field[PrefixRule] = Field(
    name="prefix",
    metavar="auto|kept|stripped|both",
    help="What the proxy does to the public path. kept and stripped refuse requests in the other "
    "form, with which a visitor could get around the proxy's path rules; both serves both; auto "
    "does until the first page that arrives stripped. Default: auto.",
    parse=parsers.parse_prefix,
    default=PrefixRule.AUTO,
    choices=tuple(PrefixRule),
)
CONFIG_OUT: Field[Path | None] = Field(
    name="config_out",
    metavar="FILE",
    help="Write the generated config.toml here. Default: the app's state folder.",
    parse=parsers.parse_file_path,
    default=None,
)
SELF_CHECK: Field[SelfCheck] = Field(
    name="self_check",
    metavar="public|local|token|off",
    help="Who may use the diagnostic pages below _stlaunch/: everybody (public), requests from "
    "this machine that no proxy forwarded (local), holders of the token "
    "(STLAUNCH_SELF_CHECK_TOKEN, or the one shown at start), or nobody (off). Default: public.",
    parse=parsers.parse_self_check,
    default=SelfCheck.PUBLIC,
    choices=tuple(SelfCheck),
    also_takes=(bool,),
)
VERIFY: Field[bool] = Field(
    name="verify",
    metavar="on|off",
    help="When ready, open the public URL as a browser would, and log the result. Default: off.",
    parse=parsers.parse_flag,
    default=False,
    choices=("on", "off"),
    value_is_optional=True,
    also_takes=(bool,),
)

TRANSPORT: Field[Transport] = Field(
    name="transport",
    metavar="auto|websocket|http",
    help="auto uses a WebSocket, and plain HTTP requests if the proxy blocks it; websocket and "
    "http use only that one. Default: auto.",
    parse=parsers.parse_transport,
    default=Transport.AUTO,
    choices=tuple(Transport),
)

DRAIN_TIMEOUT: Field[float] = Field(
    name="drain_timeout",
    metavar="SECONDS",
    help="On shutdown, wait this long for running scripts. Default: 20.",
    parse=parsers.parse_seconds,
    default=20.0,
    also_takes=(int, float),
)
WARM_UP: Field[bool] = Field(
    name="warm_up",
    metavar="on|off",
    help="Report ready only after the script has run once without an error, in a separate session. "
    "Default: off.",
    parse=parsers.parse_flag,
    default=False,
    choices=("on", "off"),
    value_is_optional=True,
    also_takes=(bool,),
)
MAX_SESSIONS: Field[int | None] = Field(
    name="max_sessions",
    metavar="NUMBER",
    help="Above this number of sessions, answer new visitors with 503 and a page that retries. "
    "Default: no limit.",
    parse=parsers.parse_count,
    default=None,
    also_takes=(int,),
)
LOG_FORMAT: Field[LogFormat] = Field(
    name="log_format",
    metavar="text|json",
    help="Write log lines as text, or as one JSON object a line; includes uvicorn's and "
    "Streamlit's. Default: text.",
    parse=parsers.parse_log_format,
    default=LogFormat.TEXT,
    choices=tuple(LogFormat),
)
ACCESS_LOG: Field[bool] = Field(
    name="access_log",
    metavar="on|off",
    help="Log each request, and each page switch inside a session, which proxies cannot see. "
    "Default: off.",
    parse=parsers.parse_flag,
    default=False,
    choices=("on", "off"),
    value_is_optional=True,
    also_takes=(bool,),
)

FIELDS: tuple[Field[object], ...] = (
    BEHIND_PROXY,
    PUBLIC_URL,
    HOST,
    PORT,
    UDS,
    TRUSTED_PROXIES,
    ALLOW_ORIGIN,
    ORIGIN_CHECK,
    EMBED_IN,
    MOUNT_PATH,
    PREFIX,
    CONFIG_OUT,
    SELF_CHECK,
    VERIFY,
    TRANSPORT,
    DRAIN_TIMEOUT,
    WARM_UP,
    MAX_SESSIONS,
    LOG_FORMAT,
    ACCESS_LOG,
)
