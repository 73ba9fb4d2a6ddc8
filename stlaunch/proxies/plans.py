"""What a proxy should do (`ProxySite`), and how to start it (`ProxyPlan`): plain data.

A configuration names only relative files, so that no path of this machine is written into one.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from stlaunch.urls.base_path import BasePath
    from stlaunch.urls.origin import HostPort

CERTIFICATE_FILE = "cert.pem"
KEY_FILE = "key.pem"
CERTIFICATE_AND_KEY_FILE = "cert-and-key.pem"

# No character that is special to any of the configuration languages, quoted or not.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


class ProxySetup(StrEnum):
    """A way to configure a proxy for Streamlit, that the demo shows."""

    BLOG = "blog"
    """A bare forwarding of one path; the WebSocket upgrade is lost."""
    THREE_LINES = "three-lines"
    """The three upgrade lines without `Host`; the app sees the upstream's address as its own."""
    RECOMMENDED = "recommended"
    """What `stlaunch proxy` writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The certificate chain and the key that the proxy serves, both in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySite:
    """One app behind one proxy.

    Raises:
        UsageError: for a base path with characters that a configuration file could misread.
    """

    listen: HostPort
    """The address and port that the proxy binds; the port must be given."""
    upstream: HostPort
    """Where the app, or the next proxy, listens."""
    base_path: BasePath
    keep_prefix: bool
    """Forward the path as it came, instead of without the base path."""
    tls: TlsFiles | None = None

    def __post_init__(self) -> None:
        if not _PLAIN_PATH.fullmatch(self.base_path.value):
            raise UsageError(
                f"The base path {self.base_path.value!r} cannot be used in a proxy configuration.",
                hint="Use letters, digits and . _ ~ - only.",
            )

    @property
    def scheme(self) -> str:
        """The scheme that the browser speaks with the proxy."""
        return "https" if self.tls else "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """A proxy's configuration and command line, to be run in a directory of its own."""

    name: str
    """The proxy's name for messages: `nginx`."""
    site: ProxySite
    config_name: str
    config_text: str
    arguments: tuple[str, ...]
    """The command line after the binary; file names in it are relative to the directory."""
    ready_path: str | None = None
    """A path that answers 200 once the configuration is in force, for a proxy that listens
    before it has read it; None where listening is enough."""


def refuse_setup(name: str, setup: str) -> UsageError:
    """Return the error for a setup that makes no sense for a proxy."""
    return UsageError(
        f"The setup '{setup}' exists for nginx only, not for {name}.",
        hint="Use --setup recommended, or --proxy nginx.",
    )
